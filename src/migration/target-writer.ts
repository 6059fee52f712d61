import { isTailraceError, TailraceError } from '../errors/index.js';
import {
  Backoff,
  CalmWarning,
  type Claim,
  isSamePosition,
  type Logger,
  leaveOut,
  onceSettled,
  orGivenUp,
  type Position,
  patienceWithSinkMs,
  type Rejection,
  type RetryOptions,
  type Sink,
  type SinkBatch,
  systemTiming,
  type Transaction,
} from '../kit/index.js';

/** What is left of a batch when the target refuses changes for good. @throws when they may not be left out */
export type WithoutRefused = (batch: SinkBatch, rejections: readonly Rejection[]) => Promise<SinkBatch>;

export interface TargetWriterOptions {
  readonly name: string;
  readonly retry: RetryOptions;
  /** True leaves out what the target refuses for good, and counts it; false ends at it. */
  readonly skipsRefused: boolean;
  /** In place of that. */
  readonly withoutRefused?: WithoutRefused | undefined;
  readonly log: Logger;
  /** How long a target to which nothing is written is left alone before it is looked at; default 10 s. */
  readonly lookIntervalMs?: number;
}

/** Writes to a sink whatever it takes: claims it, tries again, and asks the sink after an unknown outcome. */
export class TargetWriter {
  readonly sink: Sink;
  refused = 0;
  readonly #options: TargetWriterOptions;
  #claim: Claim = { epoch: 0, position: null };
  #position: Position | null = null;
  #heldAtMs = 0;

  constructor(sink: Sink, options: TargetWriterOptions) {
    this.sink = sink;
    this.#options = options;
  }

  get position(): Position | null {
    return this.#position;
  }

  /** For a sink that holds no position: where it stands. */
  startAt(position: Position | null): void {
    this.#position = position;
  }

  /** Fences whoever wrote before, and reads the target's position; for a sink that holds none, `stored` is taken. */
  async claim(signal: AbortSignal, stored: Position | null = null): Promise<Position | null> {
    const backoff = new Backoff(this.#options.retry, systemTiming);
    const warning = new CalmWarning(this.#options.log);
    for (;;) {
      try {
        this.#claim = await orGivenUp(this.sink.claim(signal), signal, patienceWithSinkMs);
        this.#position = this.sink.holdsPosition ? this.#claim.position : stored;
        return this.#position;
      } catch (error) {
        signal.throwIfAborted(); // the sink gave it up because it was told to, which is no failure
        if (!isTailraceError(error, 'SINK_UNREACHABLE') || !backoff.mayRetry()) throw error;
        warning.warn('the target cannot be reached, trying again', this.#factsOf(error));
        await backoff.wait(signal);
        signal.throwIfAborted();
      }
    }
  }

  /**
   * Resolves when the transactions and the position are durable in the target.
   * @throws TailraceError `SINK_FENCED` | `SINK_POISON` | `SINK_FAILED` | `HISTORY_MISMATCH`; the signal's reason once it aborts
   */
  async write(
    transactions: readonly Transaction[],
    position: Position,
    byteLength: number,
    signal: AbortSignal,
  ): Promise<void> {
    const backoff = new Backoff(this.#options.retry, systemTiming);
    const warning = new CalmWarning(this.#options.log);
    let batch: SinkBatch = { transactions, position, previous: this.#position, byteLength };
    for (;;) {
      const writing = onceSettled(this.sink.write(batch, this.#claim, signal));
      const outcome = await orGivenUp(writing, signal, patienceWithSinkMs);
      switch (outcome.kind) {
        case 'durable':
          this.#position = position;
          this.#heldAtMs = performance.now();
          return;
        case 'fenced':
          throw this.#fenced(outcome.error);
        case 'fatal':
          throw this.#failed(outcome.error);
        case 'poison':
          batch = await this.#withoutRejected(batch, outcome.rejections);
          this.refused += outcome.rejections.length;
          continue;
        case 'retryable':
        case 'unknown':
          signal.throwIfAborted(); // the sink gave it up because it was told to, which is no failure
          if (!backoff.mayRetry()) throw this.#failed(outcome.error);
          warning.warn('a write to the target failed, trying again', this.#factsOf(outcome.error));
          await backoff.wait(signal, outcome.kind === 'retryable' ? outcome.afterMs : 0);
          signal.throwIfAborted();
          if (outcome.kind === 'unknown' && (await this.#isHeldAfterReclaim(batch, signal))) return;
      }
    }
  }

  async #isHeldAfterReclaim(batch: SinkBatch, signal: AbortSignal): Promise<boolean> {
    const before = this.#position;
    const held = await this.claim(signal, before);
    if (isSamePosition(held, batch.position)) return true;
    if (isSamePosition(held, before)) return false;
    this.#position = before;
    throw this.#elsewhere(held);
  }

  /**
   * For one that has nothing to write: looks, now and then, whether the target still is where it was left.
   * @throws TailraceError `HISTORY_MISMATCH` | `SINK_FENCED` when it is not
   */
  async requireHeld(signal: AbortSignal): Promise<void> {
    const now = performance.now();
    if (!this.sink.holdsPosition || this.sink.readPosition === undefined) return;
    const { lookIntervalMs = defaultLookIntervalMs } = this.#options;
    if (now - this.#heldAtMs < lookIntervalMs) return;
    this.#heldAtMs = now;
    let held: Position | null;
    try {
      held = await orGivenUp(this.sink.readPosition(signal), signal);
    } catch {
      return; // what is wrong with it the next write says
    }
    if (!isSamePosition(held, this.#position)) throw this.#elsewhere(held);
  }

  async #withoutRejected(batch: SinkBatch, rejections: readonly Rejection[]): Promise<SinkBatch> {
    const { withoutRefused } = this.#options;
    if (withoutRefused !== undefined) return await withoutRefused(batch, rejections);
    const [first] = rejections;
    if (first === undefined) throw this.#failed(new Error('it refused a batch without naming a change'));
    const change = batch.transactions[first.transaction].changes[first.change];
    const key = 'key' in change ? JSON.stringify(Buffer.from(change.key).toString()) : 'no key';
    const what = `${change.op} ${change.type} of ${key}: ${first.reason}`;
    if (!this.#options.skipsRefused)
      throw new TailraceError('SINK_POISON', `${this.#options.name} refuses the ${what}`, {
        context: { sink: this.#options.name, sequence: change.seq, refused: rejections.length },
        remedy: 'Mend the target, or leave such keys out with --skip-unsupported.',
      });
    this.#warn('left out what the target refuses', new Error(what));
    return leaveOut(batch, rejections);
  }

  #warn(message: string, error: Error): void {
    this.#options.log.warn(message, this.#factsOf(error));
  }

  #factsOf(error: Error): { readonly reason: string; readonly [name: string]: unknown } {
    const remedy = isTailraceError(error) ? error.remedy : '';
    return {
      target: this.#options.name,
      reason: error.message,
      ...(remedy === '' ? {} : { remedy }),
    };
  }

  /** The target is not where this process has left it. */
  #elsewhere(held: Position | null): TailraceError {
    const { name } = this.#options;
    if ((held?.sequence ?? 0) > (this.#position?.sequence ?? 0))
      return this.#fenced(new Error('it is at a position that this process has not written'));
    return new TailraceError('HISTORY_MISMATCH', `${name} was emptied, or lost its newest writes`, {
      context: { sink: name, held: held?.sequence ?? 0, written: this.#position?.sequence ?? 0 },
      remedy:
        'Run the same command again: it goes on from where the target stands, or says that it has to start over.',
    });
  }

  #fenced(cause: Error): TailraceError {
    return new TailraceError(
      'SINK_FENCED',
      `another process took over ${this.#options.name}: ${cause.message}`,
      {
        context: { sink: this.#options.name },
        remedy: 'Let the other one go on; this one has stopped and changed nothing more.',
        cause,
      },
    );
  }

  #failed(cause: Error): TailraceError {
    if (isTailraceError(cause)) return cause;
    return new TailraceError('SINK_FAILED', `${this.#options.name} failed: ${cause.message}`, {
      context: { sink: this.#options.name },
      remedy: 'Mend the target and run the same command again: it goes on where it stands.',
      cause,
    });
  }
}

const defaultLookIntervalMs = 10_000;
