import { decodeBench } from './decode.js';
import { engineStore } from './engine-store.js';
import { engineWrite } from './engine-write.js';
import type { Bench } from './harness.js';
import { heapProfilerBench } from './heap-profiler.js';
import { kafkaLatency } from './kafka-latency.js';
import { kafkaSinkBench } from './kafka-sink.js';
import { migrateBench } from './migrate.js';
import { postgresSinkBench } from './postgres-sink.js';
import { redisExactnessBench } from './redis-exactness.js';
import { redisSinkBench } from './redis-sink.js';
import { runMemory } from './run-memory.js';
import { followBench, pollUpdatesBench, serverBench, serverMemoryBench } from './server.js';
import { sinkLatencyBench } from './sink-latency.js';
import { spaceBench } from './space/space.js';
import { storeMemory } from './store-memory.js';
import { walDecode } from './wal-decode.js';

/** Every benchmark, in the order of the data's way. */
export const benches: readonly Bench[] = [
  engineWrite,
  engineStore,
  storeMemory,
  walDecode,
  spaceBench,
  serverBench,
  serverMemoryBench,
  pollUpdatesBench,
  followBench,
  heapProfilerBench,
  decodeBench,
  redisSinkBench,
  redisExactnessBench,
  sinkLatencyBench,
  kafkaSinkBench,
  kafkaLatency,
  postgresSinkBench,
  runMemory,
  migrateBench,
];
