import { randomUUID } from 'node:crypto';
import {
  type Claim,
  type Finding,
  isSamePosition,
  type PluginContext,
  type Position,
  type Rejection,
  type Sink,
  type SinkBatch,
  TailraceError,
  type WriteOutcome,
} from '../../src/kit/index.js';
import { checkKafka } from './check.js';
import { KafkaCluster } from './cluster.js';
import type { KafkaSinkOptions } from './kafka-options.js';
import { PositionTopic } from './position-topic.js';
import { ProduceRefused, Producer, type UnwrittenBatch } from './producer.js';
import { placesIn, RecordWriter, tooLarge } from './record-writer.js';
import { asSinkError, isRefused, Refused } from './refusal.js';
import { type KafkaSinkSettings, settingsOf } from './settings.js';
import { type Partition, type Topic, TopicDirectory } from './topics.js';

/**
 * Records in Kafka, exactly once for consumers that read committed: the records of a batch and the position behind it
 * are one transaction.
 *
 * Protocol. A claim takes the transactional id, which ends the transaction that a predecessor left open and fences it;
 * then it reads the position topic, and writes there that a new epoch begins. Reading comes after fencing: what is
 * read then cannot change any more. Each write is one transaction:
 *
 *   add partitions · produce the records and the position · commit
 *
 * When the outcome of a commit is not known, or anything else goes wrong that does not say "nothing was written", the
 * connections and the producer are thrown away, and the next claim finds out what the topic holds. A producer that is
 * told it was fenced looks into the position topic for a successor: if there is none, the brokers gave up its
 * transaction by themselves (it was paused for too long), and it claims again.
 *
 * At least once: idempotent, without transactions; the pipeline keeps the position.
 */
export class KafkaSink implements Sink {
  readonly guarantee: 'exactly-once' | 'at-least-once';
  readonly holdsPosition: boolean;
  readonly takesWholeBatches: boolean;
  readonly #settings: KafkaSinkSettings;
  readonly #context: PluginContext;
  readonly #writer: RecordWriter;
  readonly #claimant = randomUUID();
  #held: Claim = { epoch: 0, position: null };
  #session: Session | undefined;
  /** Of a claim that is under way. */
  #opening: KafkaCluster | undefined;

  /** @throws TailraceError `CONFIG_INVALID` when a template has a placeholder that is not there */
  constructor(options: KafkaSinkOptions, context: PluginContext) {
    this.#settings = settingsOf(options, context.pipeline);
    this.#context = context;
    this.#writer = makeWriter(this.#settings, context.pipeline);
    this.guarantee = options.delivery;
    this.holdsPosition = options.delivery === 'exactly-once';
    this.takesWholeBatches = options.value === 'batch';
  }

  async claim(signal: AbortSignal): Promise<Claim> {
    this.#disconnect('the sink is claimed again');
    const cluster = new KafkaCluster(this.#settings.cluster, this.#context.log);
    this.#opening = cluster;
    const stop = (): void => cluster.close(new Error('the claim was given up'));
    if (signal.aborted) stop();
    signal.addEventListener('abort', stop, { once: true });
    try {
      await cluster.connect();
      const session = await this.#open(cluster);
      this.#session = session;
      return this.#held;
    } catch (error) {
      cluster.close();
      throw asSinkError(error, this.#place);
    } finally {
      signal.removeEventListener('abort', stop);
      this.#opening = undefined;
    }
  }

  async write(batch: SinkBatch, claim: Claim, signal: AbortSignal): Promise<WriteOutcome> {
    const session = this.#session;
    // Nothing was sent by a producer that is gone; claiming again finds out where we stand.
    if (session === undefined || session.cluster.isClosed)
      return { kind: 'unknown', error: new Error('the sink is not connected') };
    if (claim.epoch !== this.#held.epoch || !isSamePosition(batch.previous, this.#held.position))
      return { kind: 'fenced', error: new Error(`the sink was claimed again, or is at another position`) };
    const stop = (): void => session.cluster.close(new Error('the write was given up'));
    if (signal.aborted) stop();
    signal.addEventListener('abort', stop, { once: true });
    try {
      return await this.#write(session, batch);
    } catch (error) {
      return await this.#failed(session, error);
    } finally {
      signal.removeEventListener('abort', stop);
      session.clear();
    }
  }

  check(signal: AbortSignal): Promise<readonly Finding[]> {
    return checkKafka(this.#settings, this.#context.log, signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#disconnect('the sink is closed');
    this.#opening?.close(new Error('the sink is closed'));
  }

  async #open(cluster: KafkaCluster): Promise<Session> {
    const { positionTopic, producer: options, topics: topicSettings } = this.#settings;
    const topics = new TopicDirectory(cluster, topicSettings);
    if (!this.holdsPosition) {
      await cluster.describeTopics([]);
      const producer = await Producer.open(cluster, options);
      this.#held = { epoch: this.#held.epoch + 1, position: null };
      return new Session(cluster, topics, producer, undefined);
    }
    const positions = new PositionTopic(cluster, positionTopic, this.#context.pipeline);
    const topic = await positions.open(topics, topicSettings);
    // A sink that was overtaken must not take the pipeline back by trying again.
    if (this.#held.epoch > 0) await this.#requireNoSuccessor(positions, topic);
    const producer = await Producer.open(cluster, options);
    const found = await positions.readSettled(topic, this.#settleTimeoutMs);
    const held = { epoch: (found?.epoch ?? 0) + 1, position: found?.position ?? null };
    const session = new Session(cluster, topics, producer, { positions, topic });
    try {
      positions.add(topic, { ...held, claimant: this.#claimant });
      await session.commit(topic.partitions);
    } finally {
      session.clear();
    }
    await positions.untilShown(topic, held.epoch, this.#settleTimeoutMs);
    this.#held = held;
    return session;
  }

  async #write(session: Session, batch: SinkBatch): Promise<WriteOutcome> {
    const { topics } = session;
    let prepared = this.#writer.prepare(batch, topics);
    while (prepared.missing.length > 0) {
      session.clear();
      await topics.require(prepared.missing);
      prepared = this.#writer.prepare(batch, topics);
    }
    if (prepared.rejections.length > 0) return { kind: 'poison', rejections: prepared.rejections };
    const partitions = [...prepared.partitions, ...this.#addPosition(session, batch.position)];
    try {
      await session.commit(partitions);
    } catch (error) {
      if (error instanceof ProduceRefused) return await this.#refused(session, batch, error);
      throw error;
    }
    this.#held = { epoch: this.#held.epoch, position: batch.position };
    return { kind: 'durable' };
  }

  /** The partition of the position, with its record prepared. */
  #addPosition({ held }: Session, position: Position): readonly Partition[] {
    if (held === undefined) return [];
    held.positions.add(held.topic, { epoch: this.#held.epoch, claimant: this.#claimant, position });
    return held.topic.partitions.slice(0, 1);
  }

  /** Brokers looked at batches and refused them whole; the transaction was aborted. */
  async #refused(session: Session, batch: SinkBatch, { unwritten }: ProduceRefused): Promise<WriteOutcome> {
    const [first] = unwritten;
    if (unwritten.every(({ error }) => error.kind === 'busy'))
      return { kind: 'retryable', error: first.error };
    const forbidden = unwritten.find(({ error }) => error.kind === 'forbidden');
    if (forbidden !== undefined) return { kind: 'fatal', error: asSinkError(forbidden.error, this.#place) };
    const rejections: Rejection[] = [];
    for (const refused of unwritten) rejections.push(...(await this.#rejectionsOf(session, batch, refused)));
    return rejections.length > 0 ? { kind: 'poison', rejections } : { kind: 'retryable', error: first.error };
  }

  /** None when smaller batches are worth a try. */
  async #rejectionsOf(session: Session, batch: SinkBatch, refused: UnwrittenBatch): Promise<Rejection[]> {
    const { topic } = refused.partition;
    const { byteLength } = refused.batch;
    const places = placesIn(batch, this.#writer, session.topics, refused);
    if (refused.error.kind === 'too-large') {
      // The limit was lowered since we asked.
      topic.maxBatchBytes = Math.min(
        await session.topics.maxBatchBytes(topic.name),
        Math.ceil(byteLength / 2),
      );
      const [only, ...others] = places;
      return only === undefined || others.length > 0
        ? []
        : [{ ...only, reason: tooLarge(topic, byteLength) }];
    }
    const unkeyed = places.filter(({ isKeyed }) => !isKeyed);
    const culprits = unkeyed.length > 0 ? unkeyed : places;
    const why = unkeyed.length > 0 ? ': a compacted topic takes no records without a key' : '';
    return culprits.map(({ transaction, change }) => ({
      transaction,
      change,
      reason: `${refused.error.message}${why}`,
    }));
  }

  /** What an error in the middle of a write means. */
  async #failed(session: Session, error: unknown): Promise<WriteOutcome> {
    const cause = error instanceof Error ? error : new Error(String(error));
    if (cause instanceof TailraceError || isRefused(cause, 'forbidden') || isRefused(cause, 'other')) {
      this.#disconnect('the write failed');
      return { kind: 'fatal', error: asSinkError(cause, this.#place) };
    }
    if (isRefused(cause, 'fenced') && session.held !== undefined && !session.cluster.isClosed) {
      const { positions, topic } = session.held;
      try {
        await this.#requireNoSuccessor(positions, topic);
      } catch (found) {
        this.#disconnect('the sink was claimed by another process');
        if (found instanceof TailraceError) return { kind: 'fenced', error: found };
      }
    }
    // A transaction has not begun: the same producer may try again.
    if (isRefused(cause, 'busy')) return { kind: 'retryable', error: cause };
    this.#disconnect(cause.message);
    return { kind: 'unknown', error: cause };
  }

  /** @throws TailraceError `SINK_FENCED` */
  async #requireNoSuccessor(positions: PositionTopic, topic: Topic): Promise<void> {
    const found = await positions.readNow(topic);
    if (found === undefined || found.epoch <= this.#held.epoch || found.claimant === this.#claimant) return;
    throw new TailraceError(
      'SINK_FENCED',
      `pipeline ${this.#context.pipeline} was claimed by another process (epoch ${found.epoch})`,
      {
        context: { sink: this.#place, epoch: found.epoch },
        remedy: 'Run one process for each pipeline name; this one has stopped and changed nothing more.',
      },
    );
  }

  #disconnect(reason: string): void {
    this.#session?.cluster.close(new Error(reason));
    this.#session = undefined;
  }

  /** Transactions of others end within their own timeout. */
  get #settleTimeoutMs(): number {
    return this.#settings.producer.transactionTimeoutMs + this.#settings.cluster.requestTimeoutMs;
  }

  get #place(): string {
    return `Kafka at ${this.#settings.cluster.brokers.join(', ')}`;
  }
}

/** All that lives from a claim to the next. */
class Session {
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

  /** Writes what was prepared for these partitions, as one transaction if there are any. @throws ProduceRefused */
  async commit(partitions: readonly Partition[]): Promise<void> {
    if (this.held === undefined) {
      await this.#producer.produce(partitions);
      return;
    }
    await this.#producer.begin(partitions);
    try {
      await this.#producer.produce(partitions);
    } catch (error) {
      if (error instanceof ProduceRefused) await this.#producer.end('abort');
      throw withoutBusy(error);
    }
    try {
      await this.#producer.end('commit');
    } catch (error) {
      throw withoutBusy(error);
    }
  }

  clear(): void {
    for (const { partitions } of this.topics.all) for (const partition of partitions) partition.clear();
  }
}

const makeWriter = ({ records }: KafkaSinkSettings, pipeline: string): RecordWriter => {
  try {
    return new RecordWriter(records, pipeline);
  } catch (error) {
    throw new TailraceError('CONFIG_INVALID', error instanceof Error ? error.message : String(error), {
      context: { sink: 'kafka' },
      remedy: 'Mend topic, key, headers or keyPattern of the kafka sink.',
      cause: error,
    });
  }
};

/** Once a transaction has begun, "busy" no longer means that nothing has happened. */
const withoutBusy = (error: unknown): unknown =>
  error instanceof Refused && error.kind === 'busy' ? new Error(error.message, { cause: error }) : error;
