import {
  Backoff,
  CalmWarning,
  type Claim,
  countChanges,
  isSamePosition,
  isTailraceError,
  type Logger,
  orGivenUp,
  type Position,
  patienceWithSinkMs,
  positionOf,
  type Rejection,
  type RetryOptions,
  type Sink,
  type SinkBatch,
  type Timing,
  type Transaction,
  type WriteOutcome,
} from '../kit/index.js';
import type { ChunkGroup } from './chunk.js';
import type { DeadLetterTarget } from './dead-letters/dead-letters.js';
import { KeptPosition } from './offsets/kept-position.js';
import type { OffsetsStore } from './offsets/offsets-store.js';
import { type ErrorPolicy, withoutRefused } from './refused-changes.js';
import { failed, fenced, otherHistory } from './sink-errors.js';

export interface LaneOptions {
  readonly pipeline: string;
  /** Name of the sink within the pipeline. */
  readonly name: string;
  readonly retry: RetryOptions;
  readonly poison: ErrorPolicy;
  readonly deadLetters?: DeadLetterTarget;
  /** Where the position is kept when the sink cannot hold it. */
  readonly offsets?: OffsetsStore;
  /** How long the position may stand still while there is nothing to write, in ms. */
  readonly heartbeatMs: number;
  readonly timing: Timing;
  readonly log: Logger;
  /** Told of each write and how long it took, in ms. */
  readonly onWritten?: (ms: number) => void;
}

/** Outcomes other than success, as they are counted. */
export type SinkErrorKind = 'unreachable' | 'retryable' | 'unknown' | 'poison' | 'fenced' | 'fatal';

/** The sink lost what it had: everything behind its position must be delivered again. */
export class SinkRewound extends Error {}

/**
 * One sink of a pipeline: claims it, writes to it in order, and knows its position.
 *
 * Maintained: `position` is what the sink holds (or, for sinks that hold none, what it has acknowledged), and each
 * write is conditional on it. After an unknown outcome the sink is claimed again and its own answer is the truth.
 */
export class SinkLane {
  readonly name: string;
  readonly sink: Sink;
  retries = 0;
  rejectedChanges = 0;
  writtenChanges = 0;
  writtenBatches = 0;
  writtenBytes = 0;
  readonly errors: Record<SinkErrorKind, number> = {
    unreachable: 0,
    retryable: 0,
    unknown: 0,
    poison: 0,
    fenced: 0,
    fatal: 0,
  };
  readonly #options: LaneOptions;
  /** Used only for a sink that does not hold its position. */
  readonly #kept: KeptPosition;
  #claim: Claim = { epoch: 0, position: null };
  #position: Position | null = null;
  #durablePosition: Position | null = null;
  /** Everything up to here is handled, though nothing of it was for the sink, which still holds `#position`. */
  #passed: { readonly position: Position; readonly last: Transaction } | null = null;
  #writtenAtMs = Number.NEGATIVE_INFINITY;
  /** Resolves when it is known of all accepted writes of this claim whether they are durable. Never rejects. */
  #durable: Promise<void> = Promise.resolve();
  /** An accepted write of this claim turned out to be lost: only the sink can tell where it stands. */
  #isUncertain = false;
  #isClaimed = false;
  #trouble: { readonly reason: string; readonly sinceMs: number } | null = null;

  constructor(sink: Sink, options: LaneOptions) {
    this.sink = sink;
    this.name = options.name;
    this.#options = options;
    this.#kept = new KeptPosition(options);
  }

  get position(): Position | null {
    return this.#position;
  }

  /** What is handled; ahead of `position` while nothing that came was for this sink. */
  get reached(): Position | null {
    return this.#passed?.position ?? this.#position;
  }

  /** What is safe in the sink; behind `position` while accepted writes are under way. */
  get durablePosition(): Position | null {
    return this.#durablePosition;
  }

  /** Whether the sink has told since the start where it stands. */
  get isClaimed(): boolean {
    return this.#isClaimed;
  }

  /** Why a claim or a write is being tried again, and since when that goes on; null while all is well. */
  get trouble(): { readonly reason: string; readonly sinceMs: number } | null {
    return this.#trouble;
  }

  /**
   * Claims the sink, trying again while it cannot be reached, and reads where to go on. `signal` asks it to end, soon,
   * since a claim has nothing in flight; when `hardStop` aborts nothing is waited for any more.
   */
  async claim(signal: AbortSignal, hardStop: AbortSignal): Promise<Position | null> {
    const { retry, timing, log } = this.#options;
    const backoff = new Backoff(retry, timing);
    const warning = new CalmWarning(log, () => timing.now());
    for (;;) {
      try {
        const claiming = orGivenUp(this.sink.claim(signal), signal, patienceWithSinkMs);
        this.#claim = await orGivenUp(claiming, hardStop);
        break;
      } catch (error) {
        if (!isTailraceError(error, 'SINK_UNREACHABLE') || signal.aborted || !backoff.mayRetry()) throw error;
        this.retries++;
        this.errors.unreachable++;
        this.#noteTrouble(error);
        warning.warn('the sink cannot be reached, trying again', this.#troubleOf(error));
        await backoff.wait(signal);
        if (signal.aborted) throw error;
      }
    }
    const stored = this.sink.holdsPosition ? this.#claim.position : await this.#kept.load(hardStop);
    this.#isClaimed = true;
    this.#noteRecovery();
    this.#position = stored;
    this.#passed = null;
    this.#durablePosition = stored;
    this.#durable = Promise.resolve();
    this.#isUncertain = false;
    return stored;
  }

  /** Says where the sink begins, which has no position: nothing of what comes behind that is lost by a stop or a crash. */
  async begin(position: Position, signal: AbortSignal): Promise<void> {
    const beginning = { transactions: [], position, previous: null, byteLength: 0 };
    if (this.sink.holdsPosition) return await this.#write(beginning, signal);
    this.#position = position;
    this.#durablePosition = position;
    this.#kept.move(position);
    await this.#kept.save(true, signal);
  }

  /**
   * Delivers a group as one unit, leaving out what the sink already holds. Resolves when it is durable or accepted.
   * @throws TailraceError `SINK_FENCED` | `SINK_POISON` | `SINK_FAILED` | `HISTORY_MISMATCH`; SinkRewound
   */
  async deliver(group: ChunkGroup, signal: AbortSignal): Promise<void> {
    const { position, byteLength } = group;
    if (position === null) return await this.#beat(signal);
    await this.#ascertain(signal);
    const from = this.reached?.sequence ?? 0;
    if (position.sequence <= from) {
      this.#requireHeld(group.transactions);
      return;
    }
    const isHeldInPart = group.transactions.some(({ first }) => first <= from);
    if (isHeldInPart) this.#requireHeld(group.transactions);
    const transactions = isHeldInPart
      ? group.transactions.filter(({ first, last }) => first > from || last > from)
      : group.transactions;
    const last = transactions.at(-1);
    if (last !== undefined && !this.#hasSome(transactions) && !this.#isBeatDue()) {
      this.#passed = { position, last };
      return;
    }
    await this.#write({ transactions, position, previous: this.#position, byteLength }, signal);
  }

  /** Told of the group that is delivered next, while the one before is being written. */
  announce({ position, transactions }: ChunkGroup): void {
    if (position !== null && this.#hasSome(transactions)) this.sink.prepare?.(transactions);
  }

  /** True when there is anything in it for the sink. */
  #hasSome(transactions: readonly Transaction[]): boolean {
    if (this.sink.takesWholeBatches === true) return transactions.length > 0;
    return transactions.some((transaction) => countChanges(transaction) > 0);
  }

  /** Resolves when everything delivered is durable and the position is stored. */
  async settle(signal: AbortSignal): Promise<void> {
    await this.#movePosition(signal);
    await orGivenUp(this.#durable, signal);
    await this.#ascertain(signal);
    await this.#kept.save(true, signal);
  }

  #isBeatDue(): boolean {
    return this.#options.timing.now() - this.#writtenAtMs >= this.#options.heartbeatMs;
  }

  /** There is nothing to write: now and then the sink is told how far the source has been handled. */
  async #beat(signal: AbortSignal): Promise<void> {
    await this.#ascertain(signal);
    if (this.#isBeatDue()) await this.#movePosition(signal);
    await this.#kept.save(false, signal);
  }

  /** Asks the sink where it stands when accepted writes were lost. @throws SinkRewound when it stands further back */
  async #ascertain(signal: AbortSignal): Promise<void> {
    if (!this.#isUncertain) return;
    const expected = this.#position;
    const held = await this.claim(signal, signal);
    if (!isSamePosition(held, expected)) throw this.#standsElsewhere(held, expected);
  }

  /** What it means that the sink holds neither what it did nor what was written last. */
  #standsElsewhere(held: Position | null, expected: Position | null): Error {
    if ((held?.sequence ?? 0) < (expected?.sequence ?? 0))
      return new SinkRewound(`${this.name} lost its newest data and is back at ${held?.sequence ?? 0}`);
    return fenced(
      this.name,
      new Error(`the sink is at ${held?.sequence ?? 0}, which this process has not written`),
    );
  }

  /** A write of nothing but the position, when that has moved. */
  async #movePosition(signal: AbortSignal): Promise<void> {
    if (this.#passed === null) return;
    const { position, last } = this.#passed;
    await this.#write({ transactions: [last], position, previous: this.#position, byteLength: 0 }, signal);
  }

  async #write(first: SinkBatch, signal: AbortSignal): Promise<void> {
    const { retry, timing, log } = this.#options;
    const backoff = new Backoff(retry, timing);
    const warning = new CalmWarning(log, () => timing.now());
    let batch = first;
    for (;;) {
      const startedMs = timing.now();
      const writing = this.sink.write(batch, this.#claim, signal);
      const outcome: WriteOutcome = await orGivenUp(writing, signal);
      this.#writtenAtMs = timing.now();
      this.#options.onWritten?.(this.#writtenAtMs - startedMs);
      if (outcome.kind !== 'durable' && outcome.kind !== 'accepted') this.errors[outcome.kind]++;
      switch (outcome.kind) {
        case 'durable':
        case 'accepted':
          this.#noteRecovery();
          await this.#advance(batch, outcome, signal);
          return;
        case 'fenced':
          throw fenced(this.name, outcome.error);
        case 'fatal':
          throw failed(this.name, outcome.error);
        case 'poison':
          batch = await orGivenUp(this.#withoutRefused(batch, outcome.rejections), signal);
          this.rejectedChanges += outcome.rejections.length;
          continue;
        case 'retryable':
        case 'unknown': {
          if (signal.aborted || !backoff.mayRetry()) throw failed(this.name, outcome.error);
          this.retries++;
          this.#noteTrouble(outcome.error);
          const isUnknown = outcome.kind === 'unknown';
          warning.warn(
            isUnknown ? 'the outcome of a write is unknown, asking the sink' : 'a write failed, trying again',
            this.#troubleOf(outcome.error),
          );
          await backoff.wait(signal, outcome.kind === 'retryable' ? outcome.afterMs : 0);
          if (isUnknown && (await this.#isHeldAfterReclaim(batch, signal))) return;
        }
      }
    }
  }

  #withoutRefused(batch: SinkBatch, rejections: readonly Rejection[]): Promise<SinkBatch> {
    return withoutRefused(batch, rejections, {
      ...this.#options,
      sink: this.name,
      takesWholeBatches: this.sink.takesWholeBatches === true,
    });
  }

  #noteTrouble({ message: reason }: Error): void {
    this.#trouble = { reason, sinceMs: this.#trouble?.sinceMs ?? this.#options.timing.now() };
  }

  /** For the log: several pipelines of one process may each have a sink of that name. */
  #troubleOf({ message: reason }: Error): { pipeline: string; sink: string; reason: string } {
    return { pipeline: this.#options.pipeline, sink: this.name, reason };
  }

  #noteRecovery(): void {
    if (this.#trouble === null) return;
    const afterMs = Math.round(this.#options.timing.now() - this.#trouble.sinceMs);
    this.#trouble = null;
    this.#options.log.info('the sink is back', {
      pipeline: this.#options.pipeline,
      sink: this.name,
      afterMs,
    });
  }

  /** After an unknown outcome: true when the sink turns out to hold the batch, false when it must be written again. */
  async #isHeldAfterReclaim(batch: SinkBatch, signal: AbortSignal): Promise<boolean> {
    const expected = this.#position;
    const held = await this.claim(signal, signal);
    if (!this.sink.holdsPosition) return false;
    if (isSamePosition(held, batch.position)) {
      this.#count(batch);
      return true;
    }
    if (isSamePosition(held, expected)) return false;
    throw this.#standsElsewhere(held, expected);
  }

  async #advance(
    batch: SinkBatch,
    outcome: WriteOutcome & { kind: 'durable' | 'accepted' },
    signal: AbortSignal,
  ): Promise<void> {
    this.#position = batch.position;
    this.#passed = null;
    this.#count(batch);
    if (outcome.kind === 'accepted') this.#awaitDurable(batch.position, outcome.durable);
    else this.#durablePosition = batch.position;
    if (!this.sink.holdsPosition) {
      await this.#durable;
      if (this.#isUncertain) throw new SinkRewound(`${this.name} lost what it had accepted`);
      this.#kept.move(batch.position);
      await this.#kept.save(false, signal);
    }
  }

  /** Accepted writes become durable in order; what an earlier claim was promised no longer counts. */
  #awaitDurable(position: Position, durable: Promise<void>): void {
    const claim = this.#claim;
    const isDurable = durable.then(
      () => true,
      () => false,
    );
    this.#durable = this.#durable.then(async () => {
      const isSafe = await isDurable;
      if (claim !== this.#claim) return;
      if (!isSafe) this.#isUncertain = true;
      else if (!this.#isUncertain) this.#durablePosition = position;
    });
  }

  #count(batch: SinkBatch): void {
    this.writtenBatches++;
    this.writtenBytes += batch.byteLength;
    for (const transaction of batch.transactions) this.writtenChanges += countChanges(transaction);
  }

  /** The batch at the sink's position must be the one that the source has there. */
  #requireHeld(transactions: readonly Transaction[]): void {
    const held = this.reached;
    const same =
      held && transactions.find((transaction) => transaction.last === held.sequence && transaction.count > 0);
    if (!same) return;
    const found = positionOf({ sequence: same.first, count: same.count, bytes: same.bytes });
    if (isSamePosition(found, held)) return;
    throw otherHistory(this.name, held.sequence);
  }
}
