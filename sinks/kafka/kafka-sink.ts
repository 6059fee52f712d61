import { randomUUID } from 'node:crypto';
import {
  asError,
  type Claim,
  type Finding,
  isSamePosition,
  isTailraceError,
  messageOf,
  type PluginContext,
  type Position,
  type Sink,
  type SinkBatch,
  TailraceError,
  type WriteOutcome,
} from '../../src/kit/index.js';
import { checkKafka, lookAtPosition } from './check.js';
import { KafkaCluster } from './cluster.js';
import type { KafkaSinkOptions } from './kafka-options.js';
import { Outbox, type Topic } from './outbox.js';
import { type HeldPosition, PositionTopic } from './position-topic.js';
import { ProduceRefused, Producer } from './producer.js';
import { RecordWriter } from './record-writer.js';
import { asSinkError, isRefused } from './refusal.js';
import { judgeRefused } from './refused-batches.js';
import { Session } from './session.js';
import { type KafkaSinkSettings, settingsOf } from './settings.js';
import { TopicDirectory } from './topics.js';

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
    this.#settings = settingsOf(options, context);
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
    // Without transactions the position is kept elsewhere, and only the pipeline knows what comes before.
    const follows = !this.holdsPosition || isSamePosition(batch.previous, this.#held.position);
    if (claim.epoch !== this.#held.epoch || !follows)
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
      session.topics.outbox.clear();
    }
  }

  async readPosition(signal: AbortSignal): Promise<Position | null> {
    if (!this.holdsPosition) return null;
    const { cluster: options, positionTopic, owner } = this.#settings;
    const cluster = new KafkaCluster(options, this.#context.log);
    const stop = (): void => cluster.close(new Error('reading the position was given up'));
    if (signal.aborted) stop();
    signal.addEventListener('abort', stop, { once: true });
    try {
      await cluster.connect();
      return (await lookAtPosition(cluster, positionTopic, owner, this.#settleTimeoutMs))?.position ?? null;
    } catch (error) {
      throw asSinkError(error, this.#place);
    } finally {
      signal.removeEventListener('abort', stop);
      cluster.close();
    }
  }

  /** A transaction of nothing but the position: fenced as every other. */
  async setPosition(position: Position | null, { epoch }: Claim): Promise<void> {
    const session = this.#session;
    try {
      if (session?.held === undefined) throw new Error('the sink is not connected');
      this.#addPosition(session, position, epoch);
      await session.commit();
      this.#held = { epoch, position };
    } catch (error) {
      if (isRefused(error, 'fenced') && session?.held !== undefined)
        await this.#requireNoSuccessor(session.held.positions, session.held.topic);
      throw asSinkError(error, this.#place);
    } finally {
      session?.topics.outbox.clear();
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
    const topics = new TopicDirectory(cluster, topicSettings, new Outbox(options.codec !== undefined));
    if (!this.holdsPosition) {
      await cluster.describeTopics([]);
      const producer = await Producer.open(cluster, options);
      this.#held = { epoch: this.#held.epoch + 1, position: null };
      return new Session(cluster, topics, producer, undefined);
    }
    const positions = new PositionTopic(cluster, positionTopic, this.#settings.owner);
    const isKnown = this.#held.position !== null;
    const topic = await positions.open(topics, topicSettings, isKnown);
    // A sink that was overtaken must not take the pipeline back by trying again.
    if (this.#held.epoch > 0) await this.#requireNoSuccessor(positions, topic);
    const producer = await Producer.open(cluster, options);
    const found = await positions.readSettled(topic, this.#settleTimeoutMs);
    // A successor may have come between the two: it goes on when it has claimed again, which this one may not.
    if (this.#held.epoch > 0) this.#requireOwn(found);
    if (isKnown && found === undefined) throw positions.lost();
    const held = { epoch: (found?.epoch ?? 0) + 1, position: found?.position ?? null };
    const session = new Session(cluster, topics, producer, { positions, topic });
    try {
      this.#addPosition(session, held.position, held.epoch);
      await session.commit();
    } finally {
      session.topics.outbox.clear();
    }
    await positions.untilShown(topic, held.epoch, this.#settleTimeoutMs);
    this.#held = held;
    return session;
  }

  async #write(session: Session, batch: SinkBatch): Promise<WriteOutcome> {
    const { topics } = session;
    let prepared = await this.#writer.prepare(batch, topics);
    while (await topics.learn(prepared)) {
      topics.outbox.clear();
      prepared = await this.#writer.prepare(batch, topics);
    }
    if (prepared.rejections.length > 0) return { kind: 'poison', rejections: prepared.rejections };
    this.#addPosition(session, batch.position);
    try {
      await session.commit();
    } catch (error) {
      if (!(error instanceof ProduceRefused)) throw error;
      return await judgeRefused(error, batch, this.#writer, session.topics, this.#place);
    }
    this.#held = { epoch: this.#held.epoch, position: batch.position };
    return { kind: 'durable' };
  }

  #addPosition({ held }: Session, position: Position | null, epoch = this.#held.epoch): void {
    held?.positions.add(held.topic, { epoch, claimant: this.#claimant, position });
  }

  /** What an error in the middle of a write means. */
  async #failed(session: Session, error: unknown): Promise<WriteOutcome> {
    const cause = asError(error);
    if (isTailraceError(cause) || isRefused(cause, 'forbidden') || isRefused(cause, 'other')) {
      this.#disconnect('the write failed');
      return { kind: 'fatal', error: asSinkError(cause, this.#place) };
    }
    if (isRefused(cause, 'fenced') && session.held !== undefined && !session.cluster.isClosed) {
      const { positions, topic } = session.held;
      try {
        await this.#requireNoSuccessor(positions, topic);
      } catch (found) {
        this.#disconnect('the sink was claimed by another process');
        if (isTailraceError(found)) return { kind: 'fenced', error: found };
      }
    }
    // A transaction has not begun: the same producer may try again.
    if (isRefused(cause, 'busy')) return { kind: 'retryable', error: cause };
    this.#disconnect(cause.message);
    return { kind: 'unknown', error: cause };
  }

  /** @throws TailraceError `SINK_FENCED` */
  async #requireNoSuccessor(positions: PositionTopic, topic: Topic): Promise<void> {
    this.#requireOwn(await positions.readNow(topic));
  }

  /** @throws TailraceError `SINK_FENCED` */
  #requireOwn(found: HeldPosition | undefined): void {
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

const makeWriter = ({ records }: KafkaSinkSettings, pipeline: string): RecordWriter => {
  try {
    return new RecordWriter(records, pipeline);
  } catch (error) {
    const reason = messageOf(error);
    throw new TailraceError('CONFIG_INVALID', `the kafka sink of pipeline ${pipeline}: ${reason}`, {
      context: { sink: 'kafka', pipeline },
      remedy: 'Mend topic, key, headers or keyPattern of the kafka sink.',
      cause: error,
    });
  }
};
