import { setTimeout as delay } from 'node:timers/promises';
import { TailraceError } from '../../src/kit/index.js';
import type { KafkaCluster, TopicDescription } from './cluster.js';
import { type Outbox, Topic } from './outbox.js';
import type { Prepared } from './record-writer.js';
import { Refused } from './refusal.js';

/** How topics are made that are not there. */
export interface TopicSettings {
  readonly create: boolean;
  /** 0 = as the brokers have it. */
  readonly partitions: number;
  readonly replication: number;
  readonly config: Readonly<Record<string, string>>;
}

/** The topics of a claim, looked up or made when a record for them comes by. */
export class TopicDirectory {
  /** What is prepared for the partitions of these topics. */
  readonly outbox: Outbox;
  readonly #cluster: KafkaCluster;
  readonly #settings: TopicSettings;
  readonly #topics = new Map<string, Topic>();

  constructor(cluster: KafkaCluster, settings: TopicSettings, outbox: Outbox) {
    this.#cluster = cluster;
    this.#settings = settings;
    this.outbox = outbox;
  }

  get(name: string): Topic | undefined {
    return this.#topics.get(name);
  }

  /**
   * Looks up what a batch needs that is not known: topics, and limits that it exceeds and that may have been raised since. False
   * when there is nothing new, and no use in preparing it again.
   * @throws Refused; TailraceError `SINK_FAILED` when a topic is not there and must not be made
   */
  async learn({ missing, exceeded }: Pick<Prepared, 'missing' | 'exceeded'>): Promise<boolean> {
    if (missing.length > 0) await this.require(missing);
    let isRaised = false;
    for (const topic of exceeded) {
      const limitBytes = await this.maxBatchBytes(topic.name);
      if (limitBytes <= topic.limitBytes) continue;
      topic.limitBytes = limitBytes;
      topic.maxBatchBytes = limitBytes;
      isRaised = true;
    }
    return missing.length > 0 || isRaised;
  }

  /** @throws Refused; TailraceError `SINK_FAILED` when a topic is not there and must not be made */
  async require(names: readonly string[]): Promise<void> {
    const found = await this.#cluster.describeTopics(names);
    for (const name of names) {
      const description = found.get(name) ?? (await this.#make(name));
      const led = isLed(description) ? description : await whenLed(this.#cluster, name);
      const maxBatchBytes = await this.maxBatchBytes(name);
      this.#topics.set(name, new Topic(name, led.leaders, maxBatchBytes, this.outbox));
    }
  }

  /** The limit of a topic for one record batch; Kafka's default where it may not be asked for. */
  async maxBatchBytes(topic: string): Promise<number> {
    const config = await configOf(this.#cluster, topic, [maxMessageBytes]);
    return Number(config.get(maxMessageBytes) ?? defaultMaxMessageBytes);
  }

  #make(name: string): Promise<TopicDescription> {
    if (!this.#settings.create)
      throw new TailraceError('SINK_FAILED', `the topic ${name} does not exist`, {
        context: { topic: name },
        remedy: 'Create it, or set topics.create to true.',
      });
    return makeTopic(this.#cluster, name, this.#settings);
  }
}

/** Settings of a topic by name; those that may not be asked for are left out. */
export const configOf = async (
  cluster: KafkaCluster,
  topic: string,
  names: readonly string[],
): Promise<ReadonlyMap<string, string>> => {
  const { resources } = (await cluster.request(cluster.controllerId, 'DescribeConfigs', {
    resources: [{ type: topicResource, name: topic, configNames: names }],
    includeSynonyms: false,
  })) as DescribeConfigsAnswer;
  const entries = resources[0]?.configEntries ?? [];
  return new Map(entries.map(({ configName, configValue }) => [configName, configValue]));
};

/** Makes a topic and waits until it can be written to; one that somebody makes meanwhile is as good. */
export const makeTopic = async (
  cluster: KafkaCluster,
  topic: string,
  { partitions, replication, config }: Omit<TopicSettings, 'create'>,
): Promise<TopicDescription> => {
  const answer = (await cluster.request(cluster.controllerId, 'CreateTopics', {
    topics: [
      {
        topic,
        numPartitions: partitions === 0 ? -1 : partitions,
        replicationFactor: replication === 0 ? -1 : replication,
        replicaAssignment: [],
        configEntries: Object.entries(config).map(([name, value]) => ({ name, value })),
      },
    ],
    timeout: createTimeoutMs,
  })) as CreateTopicsAnswer;
  const { errorCode = 0, errorMessage } = answer.topicErrors[0] ?? {};
  const why = errorMessage ? ` (${errorMessage})` : '';
  // Brokers that have just been started, or that their controller has not heard of for a while: it passes.
  if (isFencedBrokers.test(why)) throw new Error(`creating the topic ${topic}${why}`);
  const refusal = errorCode === 0 ? undefined : new Refused(errorCode, `creating the topic ${topic}${why}`);
  if (refusal !== undefined && refusal.kind !== 'exists') throw refusal;
  return whenLed(cluster, topic);
};

/** The topic, once each partition has a leader that knows it: metadata tells of a new topic before its brokers do. */
const whenLed = async (cluster: KafkaCluster, topic: string): Promise<TopicDescription> => {
  for (let tries = 0; tries < maxLeaderTries; tries++) {
    const description = (await cluster.describeTopics([topic])).get(topic);
    if (description !== undefined && isLed(description) && (await isServed(cluster, topic, description)))
      return description;
    await delay(leaderPauseMs);
  }
  throw new Error(`the topic ${topic} has partitions without a leader`);
};

const isLed = ({ leaders }: TopicDescription): boolean => leaders.length > 0 && !leaders.includes(-1);

const isServed = async (
  cluster: KafkaCluster,
  topic: string,
  { leaders }: TopicDescription,
): Promise<boolean> => {
  for (const leader of new Set(leaders)) {
    const partitions = leaders.flatMap((node, partition) =>
      node === leader ? [{ partition, timestamp: latestOffset }] : [],
    );
    const { responses } = (await cluster.request(leader, 'ListOffsets', {
      replicaId: -1,
      isolationLevel: 0,
      topics: [{ topic, partitions }],
    })) as { responses: { partitions: { errorCode: number }[] }[] };
    if (responses.some((each) => each.partitions.some(({ errorCode }) => errorCode !== 0))) return false;
  }
  return true;
};

interface CreateTopicsAnswer {
  readonly topicErrors: readonly { readonly errorCode: number; readonly errorMessage?: string | null }[];
}

interface DescribeConfigsAnswer {
  readonly resources: readonly {
    readonly configEntries?: readonly { readonly configName: string; readonly configValue: string }[];
  }[];
}

/** As a controller says it; the error code is that of a replication factor beyond all brokers that there are. */
const isFencedBrokers = /brokers are currently fenced/;
const topicResource = 2;
const maxMessageBytes = 'max.message.bytes';
const defaultMaxMessageBytes = 1_048_588;
const createTimeoutMs = 10_000;
const latestOffset = -1;
const leaderPauseMs = 20;
const maxLeaderTries = 500;
