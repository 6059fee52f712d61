import type { KafkaCluster } from './cluster.js';
import type { Partition, Topic } from './outbox.js';
import type { PositionTopic } from './position-topic.js';
import { ProduceRefused, type Producer } from './producer.js';
import { Refused } from './refusal.js';
import type { TopicDirectory } from './topics.js';

/** All that lives from a claim to the next. */
export class Session {
  readonly cluster: KafkaCluster;
  readonly topics: TopicDirectory;
  /** Absent when the pipeline keeps the position. */
  readonly held: { readonly positions: PositionTopic; readonly topic: Topic } | undefined;
  readonly #producer: Producer;

  constructor(cluster: KafkaCluster, topics: TopicDirectory, producer: Producer, held: Session['held']) {
    this.cluster = cluster;
    this.topics = topics;
    this.held = held;
    this.#producer = producer;
  }

  /** Writes what is in the outbox, as one transaction where there are transactions. @throws ProduceRefused */
  async commit(): Promise<void> {
    const { partitions } = this.topics.outbox;
    if (this.held === undefined) {
      await this.#producer.produce(partitions);
      return;
    }
    await this.#producer.begin(partitions);
    try {
      await this.#produceOrAbort(partitions);
      await this.#producer.end('commit');
    } catch (error) {
      throw withoutBusy(error);
    }
  }

  async #produceOrAbort(partitions: readonly Partition[]): Promise<void> {
    try {
      await this.#producer.produce(partitions);
    } catch (error) {
      if (error instanceof ProduceRefused) await this.#producer.end('abort');
      throw error;
    }
  }
}

/** Once a transaction has begun, "busy" no longer means that nothing has happened. */
const withoutBusy = (error: unknown): unknown =>
  error instanceof Refused && error.kind === 'busy' ? new Error(error.message, { cause: error }) : error;
