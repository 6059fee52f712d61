import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { KafkaSink } from '../sinks/kafka/kafka-sink.js';
import { type KafkaService, startKafka } from '../test/services/index.js';
import { kafkaOptions } from '../test/support/kafka-options.js';
import { KafkaReader } from '../test/support/kafka-reader.js';
import { pluginContext } from '../test/support/plugin-context.js';
import { alternate, type Bench, type BenchResult, result, seconds } from './harness.js';
import {
  type Client,
  cutBatches,
  makeEvents,
  perfTest,
  produceByKafkajs,
  produceByPlatformatic,
} from './kafka-clients.js';
import { deliver, fillStore } from './log-delivery.js';

/** Makes an event of 300 bytes. */
const value = Buffer.alloc(160, 'x');
const partitions = 6;
/** Where kafkajs is at its best: larger batches cost it more than they save. */
const kafkajsBatch = 1_000;
/** What one write of the sink holds at most, and where @platformatic/kafka is at its best. */
const platformaticBatch = 4_000;
/** A transaction takes these clients long, whatever is in it: a part of the records is enough. */
const transactionalShare = 8;
const leastTransactions = 5;

/** A sink into a topic of its own. */
const openSink = (kafka: KafkaService, name: string): KafkaSink => {
  const topics = { create: true, partitions, replication: 1, config: {} };
  return new KafkaSink(
    kafkaOptions({ brokers: kafka.brokers, topic: '{pipeline}', topics }),
    pluginContext(name),
  );
};

export const kafkaSinkBench: Bench = {
  name: 'kafka-sink',
  summary: 'events of 300 B from the log into Kafka, exactly once, against other clients from memory',
  run: async ({ isQuick }) => {
    const count = isQuick ? 30_000 : 400_000;
    const directory = mkdtempSync(join(tmpdir(), 'tailrace-bench-'));
    const kafka = await startKafka({
      jvm: 'full',
      settings: { 'num.partitions': `${partitions}`, 'auto.create.topics.enable': 'true' },
    });
    const reader = await KafkaReader.open(kafka.brokers);
    try {
      const engine = await fillStore(join(directory, 'store'), count, (i) => `key:${i}`, value);
      let round = 0;
      const requireAll = async (topic: string, expected: number): Promise<void> => {
        const found = (await reader.read(topic)).length;
        if (found !== expected) throw new Error(`${topic} holds ${found} records of ${expected}`);
      };
      const ours = async (): Promise<number> => {
        const name = `ours-${round++}`;
        await reader.create(name, partitions);
        await using sink = openSink(kafka, name);
        const took = await seconds(() => deliver(engine, sink));
        if (round === 1) await requireAll(name, count);
        await reader.delete([name]);
        return count / took;
      };
      await ours(); // the broker's compiler warms up
      const events = makeEvents(engine, 'client');
      const byClient =
        (produce: Client, batchSize: number, isTransactional: boolean) => async (): Promise<number> => {
          const topic = `client-${round++}`;
          const least = Math.max(leastTransactions * batchSize, count / transactionalShare);
          const share = isTransactional ? Math.min(least, count) : count;
          const batches = cutBatches(events.slice(0, share), batchSize);
          await reader.create(topic, partitions);
          const took = await seconds(() => produce(kafka, topic, batches, isTransactional));
          if (!produced.has(produce)) await requireAll(topic, share);
          produced.add(produce);
          await reader.delete([topic]);
          return share / took;
        };
      const produced = new Set<Client>();
      const byTool = async (): Promise<number> => {
        const topic = `tool-${round++}`;
        await reader.create(topic, partitions);
        const rate = await perfTest(kafka, topic, count);
        await reader.delete([topic]);
        return rate;
      };
      const clients = [
        byClient(produceByKafkajs, kafkajsBatch, false),
        byClient(produceByKafkajs, kafkajsBatch, true),
        byClient(produceByPlatformatic, platformaticBatch, false),
        byClient(produceByPlatformatic, platformaticBatch, true),
      ];
      const [first = 0, again = 0, kafkajs = 0, kafkajsExact = 0, other = 0, otherExact = 0, tool = 0] =
        await alternate(isQuick ? 1 : 3, [ours, ours, ...clients, byTool]);
      await engine.close();
      const name = 'log to Kafka, exactly once';
      const against = (peer: string, rate: number, target: number): BenchResult =>
        result(name, first, 'events/s', peer, rate, target);
      const fromMemory = `kafkajs from memory, batches of ${kafkajsBatch}`;
      const otherFromMemory = `@platformatic/kafka from memory, batches of ${platformaticBatch}`;
      return [
        against('itself, the noise', again, 0),
        against(fromMemory, kafkajs, 0.8),
        against(`${fromMemory}, in transactions`, kafkajsExact, 0.8),
        against(otherFromMemory, other, 0.5),
        against(`${otherFromMemory}, in transactions`, otherExact, 0.5),
        against('the goal', 50_000, 1),
        against('kafka-producer-perf-test', tool, 0),
      ];
    } finally {
      reader.close();
      await kafka.stop();
      rmSync(directory, { recursive: true, force: true });
    }
  },
};
