import { spawn } from 'node:child_process';
import { Kafka, logLevel, Partitioners } from 'kafkajs';
import type { Engine } from '../src/engine/index.js';
import { Decoder, EventEncoder } from '../src/kit/index.js';
import type { KafkaService } from '../test/services/index.js';

/** A record as both clients take it. */
export interface ReadyRecord {
  readonly key: Buffer;
  readonly value: Buffer;
}

/** Sends batches one after the other, each acknowledged by all replicas, in a transaction of its own if so. */
export type Client = (
  kafka: KafkaService,
  topic: string,
  batches: readonly ReadyRecord[][],
  isTransactional: boolean,
) => Promise<void>;

/** The events of a log that has only writes of keys, ready made. */
export const makeEvents = (engine: Engine, source: string): ReadyRecord[] => {
  const decoder = new Decoder();
  const encoder = new EventEncoder({ connector: 'tailrace', name: source });
  const records: ReadyRecord[] = [];
  for (const { bytes } of engine.walIterator(0)) {
    const transaction = decoder.decode(Buffer.from(bytes));
    for (const change of transaction.changes)
      if ('key' in change)
        records.push({ key: Buffer.from(change.key), value: encoder.encode(transaction, change) });
  }
  return records;
};

export const cutBatches = (records: readonly ReadyRecord[], size: number): ReadyRecord[][] =>
  Array.from({ length: Math.ceil(records.length / size) }, (_, at) =>
    records.slice(at * size, (at + 1) * size),
  );

export const produceByKafkajs: Client = async (kafka, topic, batches, isTransactional) => {
  const client = new Kafka({ brokers: [...kafka.brokers], logLevel: logLevel.NOTHING });
  const producer = client.producer({
    createPartitioner: Partitioners.DefaultPartitioner,
    idempotent: true,
    ...(isTransactional ? { transactionalId: topic, maxInFlightRequests: 1 } : {}),
  });
  await producer.connect();
  for (const messages of batches) {
    const request = { topicMessages: [{ topic, messages }], acks: -1 };
    if (!isTransactional) {
      await producer.sendBatch(request);
      continue;
    }
    const transaction = await producer.transaction();
    await transaction.sendBatch(request);
    await transaction.commit();
  }
  await producer.disconnect();
};

export const produceByPlatformatic: Client = async (kafka, topic, batches, isTransactional) => {
  // Loaded here alone: it makes code of other benchmarks in the same process slower by a third (seen in `decode`).
  const { Producer } = await import('@platformatic/kafka');
  const producer = new Producer({
    clientId: 'bench',
    bootstrapBrokers: [...kafka.brokers],
    idempotent: true,
    acks: -1,
    ...(isTransactional ? { transactionalId: topic } : {}),
  });
  for (const batch of batches) {
    const messages = batch.map(({ key, value }) => ({ topic, key, value }));
    if (!isTransactional) {
      await producer.send({ messages });
      continue;
    }
    const transaction = await producer.beginTransaction();
    await transaction.send({ messages });
    await transaction.commit();
  }
  await producer.close();
};

/** Records a second of Kafka's own tool, idempotent and with all acknowledgements, as its defaults are. */
export const perfTest = (kafka: KafkaService, topic: string, count: number): Promise<number> =>
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
