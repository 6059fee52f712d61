import type { KafkaCluster } from './cluster.js';
import type { Codec } from './compression.js';
import type { Partition } from './outbox.js';
import { type PartitionBatch, type ProduceAnswer, produceCall } from './produce-request.js';
import { type ProducerIdentity, type RecordBatchBuilder, sequenceAfter } from './record-batch.js';
import { isRefused, Refused, requireSuccess } from './refusal.js';
import { isBusy, whilePassing } from './while-passing.js';

export interface ProducerOptions {
  /** Null: idempotent, without transactions. */
  readonly transactionalId: string | null;
  readonly transactionTimeoutMs: number;
  readonly requestTimeoutMs: number;
  readonly codec: Codec | undefined;
}

/** A batch that was not written, and why. */
export interface UnwrittenBatch {
  readonly partition: Partition;
  readonly batch: RecordBatchBuilder;
  readonly error: Refused;
}

/** Some batches were not written, and none of them in part: the transaction can be aborted and the producer used on. */
export class ProduceRefused extends Error {
  readonly unwritten: readonly [UnwrittenBatch, ...UnwrittenBatch[]];

  constructor(unwritten: readonly [UnwrittenBatch, ...UnwrittenBatch[]]) {
    super(unwritten[0].error.message);
    this.unwritten = unwritten;
  }
}

/**
 * An idempotent producer, transactional when it has an id.
 *
 * Opening it fences whoever had the id before and ends the transaction they left open. A transaction is `begin` with
 * its partitions, `produce`, `end`. A partition counts as written only when the broker's answer names it without an
 * error: anything else is an error here. After any error but ProduceRefused and a busy `begin`, the producer is not to
 * be used again.
 */
export class Producer {
  readonly #cluster: KafkaCluster;
  readonly #options: ProducerOptions;
  readonly #coordinator: number;
  readonly #identity: ProducerIdentity;

  static async open(cluster: KafkaCluster, options: ProducerOptions): Promise<Producer> {
    const { transactionalId, transactionTimeoutMs, requestTimeoutMs } = options;
    // The coordinator is looked up each time: a cluster that has just started has not settled on one yet.
    const isPassing = (error: unknown): boolean => isBusy(error) || isRefused(error, 'moved');
    return whilePassing(requestTimeoutMs, isPassing, async () => {
      const coordinator =
        transactionalId === null ? cluster.controllerId : await cluster.findCoordinator(transactionalId);
      const answer = (await cluster.request(coordinator, 'InitProducerId', {
        transactionalId,
        transactionTimeout: transactionTimeoutMs,
      })) as { errorCode: number; producerId: string; producerEpoch: number };
      requireSuccess(answer.errorCode, `the producer id of ${transactionalId ?? 'an idempotent producer'}`);
      const { producerId, producerEpoch } = answer;
      return new Producer(cluster, options, coordinator, { producerId: BigInt(producerId), producerEpoch });
    });
  }

  private constructor(
    cluster: KafkaCluster,
    options: ProducerOptions,
    coordinator: number,
    identity: ProducerIdentity,
  ) {
    this.#cluster = cluster;
    this.#options = options;
    this.#coordinator = coordinator;
    this.#identity = identity;
  }

  /** Begins a transaction over these partitions. Nothing has begun when it throws Refused of kind `busy`. */
  async begin(partitions: readonly Partition[]): Promise<void> {
    const byTopic = new Map<string, number[]>();
    for (const { topic, index } of partitions) {
      const others = byTopic.get(topic.name);
      if (others === undefined) byTopic.set(topic.name, [index]);
      else others.push(index);
    }
    const topics = [...byTopic].map(([topic, indexes]) => ({ topic, partitions: indexes }));
    // The markers of the transaction before may still be on their way: CONCURRENT_TRANSACTIONS.
    await whilePassing(this.#options.requestTimeoutMs, isBusy, async () => {
      const { errors } = (await this.#request('AddPartitionsToTxn', { topics })) as {
        errors: { topic: string; partitionErrors: { partition: number; errorCode: number }[] }[];
      };
      const failed = errors.flatMap(({ topic, partitionErrors }) =>
        partitionErrors.filter(({ errorCode }) => errorCode !== 0).map((error) => ({ topic, ...error })),
      );
      const telling = failed.find(({ errorCode }) => errorCode !== operationNotAttempted) ?? failed[0];
      if (telling !== undefined)
        throw new Refused(
          telling.errorCode,
          `beginning a transaction on ${telling.topic}/${telling.partition}`,
        );
    });
  }

  /** Writes the batches that were prepared for these partitions. @throws ProduceRefused */
  async produce(partitions: readonly Partition[]): Promise<void> {
    const timestampMs = Date.now();
    const rounds = Math.max(0, ...partitions.map(({ batches }) => batches.length));
    const sent: Promise<readonly SentBatch[]>[] = [];
    for (let round = 0; round < rounds; round++) {
      const batches = await Promise.all(
        partitions.flatMap((partition) => {
          const batch = partition.batches[round];
          return batch === undefined || batch.count === 0 ? [] : [this.#seal(partition, batch, timestampMs)];
        }),
      );
      for (const leader of new Set(batches.map(({ partition }) => partition.leader))) {
        const sending = this.#send(
          leader,
          batches.filter(({ partition }) => partition.leader === leader),
        );
        sending.catch(() => undefined); // it may fail while the next batches are still being compressed
        sent.push(sending);
      }
    }
    const answered = await settle(sent);
    const unwritten = answered.flat().flatMap(({ partition, batch, sequence, errorCode }) => {
      if (errorCode === 0) return [];
      const error = new Refused(errorCode, `writing to ${partition.topic.name}/${partition.index}`);
      return [{ partition, batch, sequence, error }];
    });
    this.#requireRefusedAlone(unwritten);
  }

  /** Ends the transaction. When it throws, only a new producer can find out how it ended. */
  async end(how: 'commit' | 'abort'): Promise<void> {
    const { errorCode } = (await this.#request('EndTxn', { transactionResult: how === 'commit' })) as {
      errorCode: number;
    };
    requireSuccess(errorCode, `the ${how} of a transaction`);
  }

  async #seal(partition: Partition, batch: RecordBatchBuilder, timestampMs: number): Promise<SealedBatch> {
    const sequence = partition.nextSequence;
    partition.nextSequence = sequenceAfter(sequence, batch.count);
    const isTransactional = this.#options.transactionalId !== null;
    const stamp = { ...this.#identity, sequence, timestampMs, isTransactional };
    return { partition, batch, sequence, bytes: await batch.finish(stamp, this.#options.codec) };
  }

  async #send(leader: number, batches: readonly SealedBatch[]): Promise<readonly SentBatch[]> {
    const { transactionalId, requestTimeoutMs } = this.#options;
    const sent = batches.map(
      ({ partition, bytes }): PartitionBatch => ({
        topic: partition.topic.name,
        partition: partition.index,
        batch: bytes,
      }),
    );
    const { topics } = (await this.#cluster.call(
      leader,
      produceCall(transactionalId, requestTimeoutMs, sent),
    )) as { topics: readonly ProduceAnswer[] };
    return batches.map((sealed) => {
      const { topic, index } = sealed.partition;
      const answer = topics.find((each) => each.topic === topic.name && each.partition === index);
      if (answer === undefined)
        throw new Error(`broker ${leader} did not say whether it wrote to ${topic.name}/${index}`);
      return { ...sealed, errorCode: answer.errorCode };
    });
  }

  /** Sequences go back to what was written, provided that it is known. */
  #requireRefusedAlone(unwritten: readonly (UnwrittenBatch & { sequence: number })[]): void {
    if (unwritten.length === 0) return;
    const [first] = unwritten;
    const refused = new Set<Partition>();
    const telling: UnwrittenBatch[] = [];
    for (const each of unwritten) {
      // What comes behind a refused batch of the same partition is refused for its sequence number.
      if (refused.has(each.partition)) continue;
      if (!isClean(each.error)) throw each.error;
      refused.add(each.partition);
      each.partition.nextSequence = each.sequence;
      telling.push(each);
    }
    const [one = first, ...others] = telling;
    throw new ProduceRefused([one, ...others]);
  }

  #request(apiName: string, parameters: object): Promise<unknown> {
    const { transactionalId } = this.#options;
    const { producerId, producerEpoch } = this.#identity;
    return this.#cluster.request(this.#coordinator, apiName, {
      transactionalId,
      producerId: String(producerId),
      producerEpoch,
      ...parameters,
    });
  }
}

interface SealedBatch {
  readonly partition: Partition;
  readonly batch: RecordBatchBuilder;
  readonly sequence: number;
  readonly bytes: Buffer;
}

interface SentBatch extends SealedBatch {
  readonly errorCode: number;
}

/** The broker looked at the batch and wrote nothing of it. */
const isClean = (error: Refused): boolean =>
  ['too-large', 'invalid-record', 'forbidden'].includes(error.kind) || error.code === notEnoughReplicas;

/** All answers, or the first error when all have come: nothing may be under way when the caller goes on. */
const settle = async <Answer>(promises: readonly Promise<Answer>[]): Promise<Answer[]> => {
  const answers: Answer[] = [];
  for (const outcome of await Promise.allSettled(promises)) {
    if (outcome.status === 'rejected') throw outcome.reason;
    answers.push(outcome.value);
  }
  return answers;
};

const operationNotAttempted = 55;
const notEnoughReplicas = 19;
