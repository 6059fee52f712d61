import filterAbortedMessages from 'kafkajs/src/consumer/filterAbortedMessages.js';
import { KafkaCluster } from '../../sinks/kafka/cluster.js';
import { Refused } from '../../sinks/kafka/refusal.js';
import { makeTopic } from '../../sinks/kafka/topics.js';
import { pluginContext } from './plugin-context.js';
import { waitUntil } from './wait-until.js';

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
  /** Node id of the leader of each `topic/partition` that has answered. */
  readonly #leaders = new Map<string, number>();

  static async open(brokers: readonly string[]): Promise<KafkaReader> {
    const cluster = new KafkaCluster(
      {
        brokers,
        clientId: 'reader',
        tls: null,
        sasl: null,
        connectTimeoutMs: 60_000,
        requestTimeoutMs: 60_000,
      },
      pluginContext().log,
    );
    await cluster.connect();
    await cluster.describeTopics([]); // tells which broker is the controller
    return new KafkaReader(cluster);
  }

  private constructor(cluster: KafkaCluster) {
    this.#cluster = cluster;
  }

  /** Every committed record from an offset on, partition by partition; none when there is no such topic. */
  async read(topic: string, fromOffset = 0): Promise<ReadRecord[]> {
    const leaders = (await this.#cluster.describeTopics([topic])).get(topic)?.leaders ?? [];
    const records: ReadRecord[] = [];
    for (const partition of leaders.keys()) {
      let offset = fromOffset;
      // A commit is answered before it shows.
      const end = await this.#end(topic, partition, readUncommitted);
      await waitUntil(
        'every transaction has ended',
        async () => (await this.#end(topic, partition, readCommitted)) >= end,
      );
      for (;;) {
        const fetched = await this.#askLeader<Fetched>('Fetch', topic, partition, {
          isolationLevel: readCommitted,
          maxWaitTime: 0,
          minBytes: 0,
          maxBytes: 32 * 1024 * 1024,
          rackId: '',
          topics: [{ topic, partitions: [{ partition, fetchOffset: offset, maxBytes: 32 * 1024 * 1024 }] }],
        });
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

  /** Changes settings of a topic, and waits until its brokers keep to them. */
  async configure(topic: string, settings: Readonly<Record<string, string>>): Promise<void> {
    const configEntries = Object.entries(settings).map(([name, value]) => ({ name, value }));
    const { resources } = (await this.#cluster.request(this.#cluster.controllerId, 'AlterConfigs', {
      resources: [{ type: 2, name: topic, configEntries }],
    })) as { resources: { errorCode: number }[] };
    if (resources[0]?.errorCode !== 0) throw new Error(`configuring ${topic}: ${resources[0]?.errorCode}`);
    await waitUntil('the settings hold', async () => {
      const answer = (await this.#cluster.request(this.#cluster.controllerId, 'DescribeConfigs', {
        resources: [{ type: 2, name: topic, configNames: Object.keys(settings) }],
        includeSynonyms: false,
      })) as { resources: { configEntries: { configName: string; configValue: string }[] }[] };
      const found = answer.resources[0]?.configEntries ?? [];
      return found.every(({ configName, configValue }) => settings[configName] === configValue);
    });
  }

  /** Where the first partition ends, and up to where its transactions have ended. */
  async ends(topic: string): Promise<{ end: number; stable: number }> {
    const stable = await this.#end(topic, 0, readCommitted);
    return { stable, end: await this.#end(topic, 0, readUncommitted) };
  }

  async delete(topics: readonly string[]): Promise<void> {
    await this.#cluster.request(this.#cluster.controllerId, 'DeleteTopics', { topics, timeout: 10_000 });
  }

  close(): void {
    this.#cluster.close();
  }

  async #end(topic: string, partition: number, isolationLevel: number): Promise<number> {
    const { offset } = await this.#askLeader<ListedOffset>('ListOffsets', topic, partition, {
      isolationLevel,
      topics: [{ topic, partitions: [{ partition, timestamp: -1 }] }],
    });
    return Number(offset);
  }

  /** Asks the leader of a partition; once more while one is being chosen, or does not know yet that it is the one. */
  async #askLeader<Answer extends PartitionAnswer>(
    apiName: string,
    topic: string,
    partition: number,
    parameters: object,
  ): Promise<Answer> {
    const place = `${topic}/${partition}`;
    let answer: Answer | undefined;
    await waitUntil(`the leader of ${place} answers ${apiName}`, async () => {
      const leader =
        this.#leaders.get(place) ??
        (await this.#cluster.describeTopics([topic])).get(topic)?.leaders[partition] ??
        -1;
      if (leader < 0) return false;
      const { responses } = (await this.#cluster.request(leader, apiName, {
        replicaId: -1,
        ...parameters,
      })) as { responses: { partitions: Answer[] }[] };
      answer = responses[0]?.partitions[0];
      if (answer?.errorCode === 0) {
        this.#leaders.set(place, leader);
        return true;
      }
      this.#leaders.delete(place);
      const refused = new Refused(answer?.errorCode ?? -1, place);
      if (!['moved', 'busy', 'absent'].includes(refused.kind)) throw refused;
      return false;
    });
    if (answer === undefined) throw new Error(`no answer about ${place}`);
    return answer;
  }
}

const readUncommitted = 0;
const readCommitted = 1;

interface PartitionAnswer {
  readonly errorCode: number;
}

interface ListedOffset extends PartitionAnswer {
  readonly offset: string;
}

interface Fetched extends PartitionAnswer {
  readonly abortedTransactions: readonly unknown[];
  readonly messages: readonly {
    readonly offset: string;
    readonly key: Buffer | null;
    readonly value: Buffer | null;
    readonly headers: Readonly<Record<string, Buffer>>;
    readonly isControlRecord: boolean;
  }[];
}
