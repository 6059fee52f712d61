import filterAbortedMessages from 'kafkajs/src/consumer/filterAbortedMessages.js';
import { KafkaCluster } from '../../sinks/kafka/cluster.js';
import { makeTopic } from '../../sinks/kafka/topics.js';
import { pluginContext } from './sink-batches.js';

export interface ReadRecord {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: Readonly<Record<string, Buffer>>;
}

/** Reads whole topics as a consumer that reads committed would, without a group and its waiting. */
export class KafkaReader {
  readonly #cluster: KafkaCluster;

  static async open(brokers: readonly string[]): Promise<KafkaReader> {
    const cluster = new KafkaCluster(
      {
        brokers,
        clientId: 'reader',
        tls: null,
        sasl: null,
        connectTimeoutMs: 5_000,
        requestTimeoutMs: 20_000,
      },
      pluginContext().log,
    );
    await cluster.connect();
    return new KafkaReader(cluster);
  }

  private constructor(cluster: KafkaCluster) {
    this.#cluster = cluster;
  }

  /** Every committed record from an offset on, partition by partition; none when there is no such topic. */
  async read(topic: string, fromOffset = 0): Promise<ReadRecord[]> {
    const leaders = (await this.#cluster.describeTopics([topic])).get(topic)?.leaders ?? [];
    const records: ReadRecord[] = [];
    for (const [partition, leader] of leaders.entries()) {
      let offset = fromOffset;
      for (;;) {
        const { responses } = (await this.#cluster.request(leader, 'Fetch', {
          replicaId: -1,
          isolationLevel: 1,
          maxWaitTime: 0,
          minBytes: 0,
          maxBytes: 32 * 1024 * 1024,
          rackId: '',
          topics: [{ topic, partitions: [{ partition, fetchOffset: offset, maxBytes: 32 * 1024 * 1024 }] }],
        })) as { responses: { partitions: Fetched[] }[] };
        const fetched = responses[0]?.partitions[0];
        if (fetched === undefined || fetched.errorCode !== 0)
          throw new Error(`fetch of ${topic}/${partition}: ${fetched?.errorCode}`);
        for (const message of filterAbortedMessages(fetched))
          if (!message.isControlRecord && Number(message.offset) >= offset)
            records.push({ topic, partition, ...message, offset: Number(message.offset) });
        const last = fetched.messages.at(-1);
        if (last === undefined) break;
        offset = Number(last.offset) + 1;
      }
    }
    return records;
  }

  async topics(): Promise<string[]> {
    return [...(await this.#cluster.describeTopics([])).keys()].filter((name) => !name.startsWith('__'));
  }

  async create(topic: string, partitions: number): Promise<void> {
    await this.#cluster.describeTopics([]);
    await makeTopic(this.#cluster, topic, { partitions, replication: 1, config: {} });
  }

  async delete(topics: readonly string[]): Promise<void> {
    await this.#cluster.request(this.#cluster.controllerId, 'DeleteTopics', { topics, timeout: 10_000 });
  }

  close(): void {
    this.#cluster.close();
  }
}

interface Fetched {
  readonly errorCode: number;
  readonly abortedTransactions: readonly unknown[];
  readonly messages: readonly {
    readonly offset: string;
    readonly key: Buffer | null;
    readonly value: Buffer | null;
    readonly headers: Readonly<Record<string, Buffer>>;
    readonly isControlRecord: boolean;
  }[];
}
