import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Kafka, logLevel } from 'kafkajs';
import { EngineSource } from '../connectors/engine/index.js';
import { KafkaSink } from '../sinks/kafka/kafka-sink.js';
import { Engine } from '../src/engine/index.js';
import { Pipeline } from '../src/pipeline/index.js';
import { type KafkaService, startKafka } from '../test/services/index.js';
import { CommandRunner } from '../test/support/command-runner.js';
import { kafkaOptions } from '../test/support/kafka-options.js';
import { KafkaReader } from '../test/support/kafka-reader.js';
import { pluginContext } from '../test/support/plugin-context.js';
import type { Bench, BenchResult } from './harness.js';

const value = Buffer.alloc(100, 'x');

/** From the commit of each change to its arrival at a consumer that reads committed, in ms. */
const latenciesAt = async (
  kafka: KafkaService,
  engine: Engine,
  rate: number,
  count: number,
): Promise<number[]> => {
  const name = `latency-${rate}`;
  const reader = await KafkaReader.open(kafka.brokers);
  await reader.create(name, 3);
  reader.close();
  const context = pluginContext(name);
  await using sink = new KafkaSink(kafkaOptions({ brokers: kafka.brokers, topic: '{pipeline}' }), context);
  const pipeline = new Pipeline({
    name,
    source: new EngineSource(engine),
    sinks: [{ name: 'kafka', sink }],
    startAt: 'latest',
    log: context.log,
  });
  const stop = new AbortController();
  const done = pipeline.run(stop.signal);
  const consumer = new Kafka({ brokers: [...kafka.brokers], logLevel: logLevel.NOTHING }).consumer({
    groupId: name,
    maxWaitTimeInMs: 100,
  });
  const committed: number[] = [];
  const latencies: number[] = [];
  let joined: () => void = () => undefined;
  const hasJoined = new Promise<void>((resolve) => {
    joined = resolve;
  });
  consumer.on('consumer.group_join', () => joined());
  await consumer.connect();
  await consumer.subscribe({ topic: name, fromBeginning: true });
  await consumer.run({
    eachBatch: async ({ batch }) => {
      const now = performance.now();
      for (const { key } of batch.messages) latencies.push(now - committed[Number(key)]);
    },
  });
  await hasJoined;
  const commands = new CommandRunner(engine);
  await delay(500); // claim and group are settled
  const start = performance.now();
  for (let i = 0; i < count; ) {
    const due = Math.min(count, Math.ceil(((performance.now() - start) * rate) / 1000));
    for (; i < due; i++) {
      commands.run('SET', String(i), value);
      committed.push(performance.now());
    }
    await delay(1);
  }
  while (latencies.length < count) await delay(10);
  stop.abort();
  await done;
  await consumer.disconnect();
  return latencies.sort((a, b) => a - b);
};

export const kafkaLatency: Bench = {
  name: 'kafka-latency',
  summary: 'from a commit in the store to a consumer of Kafka that reads committed',
  run: async ({ isQuick }) => {
    const directory = mkdtempSync(join(tmpdir(), 'tailrace-bench-'));
    const kafka = await startKafka({ jvm: 'full' });
    const engine = await Engine.open(join(directory, 'store'), { sync: 'none' });
    try {
      const results: BenchResult[] = [];
      await latenciesAt(kafka, engine, 500, 2_000); // the broker's compiler warms up
      for (const rate of [1_000, 10_000]) {
        const latencies = await latenciesAt(kafka, engine, rate, rate * (isQuick ? 2 : 10));
        const at = (share: number): number => latencies[Math.floor(latencies.length * share)];
        const p99 = at(0.99);
        results.push({
          name: `p99 at ${rate} changes/s (p50 ${at(0.5).toFixed(1)} ms)`,
          ...{ value: p99, unit: 'ms', peer: 'the goal', peerValue: 100, ratio: p99 / 100, target: 1 },
          met: p99 <= 100,
        });
      }
      return results;
    } finally {
      await engine.close();
      await kafka.stop();
      rmSync(directory, { recursive: true, force: true });
    }
  },
};
