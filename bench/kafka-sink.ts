import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Kafka, logLevel, Partitioners, type TopicMessages } from 'kafkajs';
import { KafkaSink } from '../sinks/kafka/index.js';
import type { Engine } from '../src/engine/index.js';
import { Decoder, EventEncoder } from '../src/kit/index.js';
import { type KafkaService, startKafka } from '../test/services/index.js';
import { kafkaOptions } from '../test/support/kafka-options.js';
import { KafkaReader } from '../test/support/kafka-reader.js';
import { pluginContext } from '../test/support/sink-batches.js';
import { alternate, type Bench, result, seconds } from './harness.js';
import { deliver, fillStore } from './log-delivery.js';

/** Makes an event of 300 bytes. */
const value = Buffer.alloc(160, 'x');
const partitions = 6;
/** Where kafkajs is at its best: larger batches cost it more than they save. */
const clientBatch = 1_000;

/** A sink into a topic of its own. */
const openSink = (kafka: KafkaService, name: string): KafkaSink => {
  const topics = { create: true, partitions, replication: 1, config: {} };
  return new KafkaSink(
    kafkaOptions({ brokers: kafka.brokers, topic: '{pipeline}', topics }),
    pluginContext(name),
  );
};

/** The same events in the same batches, ready made, by kafkajs. */
const makeBatches = (engine: Engine, topic: string, batchSize: number): TopicMessages[] => {
  const decoder = new Decoder();
  const encoder = new EventEncoder({ connector: 'tailrace', name: topic });
  const batches: TopicMessages[] = [];
  for (const { bytes } of engine.walIterator(0)) {
    const transaction = decoder.decode(Buffer.from(bytes));
    for (const change of transaction.changes) {
      let batch = batches.at(-1);
      if (batch === undefined || batch.messages.length >= batchSize) {
        batch = { topic, messages: [] };
        batches.push(batch);
      }
      batch.messages.push({
        key: 'key' in change ? Buffer.from(change.key) : null,
        value: encoder.encode(transaction, change),
      });
    }
  }
  return batches;
};

const produceByClient = async (
  kafka: KafkaService,
  batches: readonly TopicMessages[],
  isTransactional: boolean,
): Promise<void> => {
  const client = new Kafka({ brokers: [...kafka.brokers], logLevel: logLevel.NOTHING });
  const producer = client.producer({
    createPartitioner: Partitioners.DefaultPartitioner,
    idempotent: true,
    ...(isTransactional ? { transactionalId: 'bench', maxInFlightRequests: 1 } : {}),
  });
  await producer.connect();
  for (const batch of batches) {
    if (!isTransactional) {
      await producer.sendBatch({ topicMessages: [batch], acks: -1 });
      continue;
    }
    const transaction = await producer.transaction();
    await transaction.sendBatch({ topicMessages: [batch], acks: -1 });
    await transaction.commit();
  }
  await producer.disconnect();
};

/** Records a second of Kafka's own tool, idempotent and with all acknowledgements, as its defaults are. */
const perfTest = (kafka: KafkaService, topic: string, count: number): Promise<number> =>
  new Promise((resolve, reject) => {
    const words = [
      '--topic',
      topic,
      '--num-records',
      `${count}`,
      '--record-size',
      '300',
      '--throughput',
      '-1',
    ];
    const properties = ['--producer-props', `bootstrap.servers=${kafka.brokers[0]}`];
    const program = spawn(
      'java',
      ['-cp', kafka.classPath, 'org.apache.kafka.tools.ProducerPerformance', ...words, ...properties],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    let output = '';
    program.stdout.on('data', (chunk: Buffer) => {
      output += chunk.toString();
    });
    program.once('error', reject);
    program.once('close', () => {
      const rate = [...output.matchAll(/([\d.]+) records\/sec/g)].at(-1)?.[1];
      if (rate === undefined) reject(new Error(`kafka-producer-perf-test said:\n${output}`));
      else resolve(Number(rate));
    });
  });

export const kafkaSinkBench: Bench = {
  name: 'kafka-sink',
  summary: 'events of 300 B from the log into Kafka, exactly once, against kafkajs from memory',
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
      const requireAll = async (topic: string): Promise<void> => {
        const found = (await reader.read(topic)).length;
        if (found !== count) throw new Error(`${topic} holds ${found} records of ${count}`);
      };
      const ours = async (): Promise<number> => {
        const name = `ours-${round++}`;
        await reader.create(name, partitions);
        await using sink = openSink(kafka, name);
        const took = await seconds(() => deliver(engine, sink));
        if (round === 1) await requireAll(name);
        await reader.delete([name]);
        return count / took;
      };
      await ours(); // the broker's compiler warms up
      const byClient = (isTransactional: boolean) => async (): Promise<number> => {
        const topic = `client-${round++}`;
        const batches = makeBatches(engine, topic, clientBatch);
        await reader.create(topic, partitions);
        const took = await seconds(() => produceByClient(kafka, batches, isTransactional));
        await reader.delete([topic]);
        return count / took;
      };
      const byTool = async (): Promise<number> => {
        const topic = `tool-${round++}`;
        await reader.create(topic, partitions);
        const rate = await perfTest(kafka, topic, count);
        await reader.delete([topic]);
        return rate;
      };
      const [first = 0, again = 0, client = 0, transactional = 0, tool = 0] = await alternate(
        isQuick ? 1 : 3,
        [ours, ours, byClient(false), byClient(true), byTool],
      );
      await engine.close();
      const name = 'log to Kafka, exactly once';
      const batches = `kafkajs from memory, batches of ${clientBatch}`;
      return [
        result(name, first, 'events/s', 'itself, the noise', again, 0),
        result(name, first, 'events/s', batches, client, 0.8),
        result(name, first, 'events/s', `${batches}, in transactions`, transactional, 0.8),
        result(name, first, 'events/s', 'the goal', 50_000, 1),
        result(name, first, 'events/s', 'kafka-producer-perf-test', tool, 0),
      ];
    } finally {
      reader.close();
      await kafka.stop();
      rmSync(directory, { recursive: true, force: true });
    }
  },
};
