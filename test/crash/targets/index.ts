import type { CrashTarget } from '../crash-target.js';
import { startFileTarget } from './file-target.js';
import { startKafkaTarget } from './kafka-target.js';
import { startKvrocksTarget } from './kvrocks-target.js';
import { startPostgresMirrorTarget, startPostgresTarget } from './postgres-target.js';
import { startRedisClusterTarget } from './redis-cluster-target.js';
import { startRedisTarget } from './redis-target.js';
import { startWebhookTarget } from './webhook-target.js';

/** Every target of the crash harness by name, and how to start it. */
export const crashTargets: ReadonlyMap<string, () => Promise<CrashTarget>> = new Map([
  ['file', startFileTarget],
  ['redis', startRedisTarget],
  ['redis-cluster', startRedisClusterTarget],
  ['postgres', startPostgresTarget],
  ['postgres-mirror', startPostgresMirrorTarget],
  ['kvrocks', startKvrocksTarget],
  ['kafka', startKafkaTarget],
  ['webhook', startWebhookTarget],
]);
