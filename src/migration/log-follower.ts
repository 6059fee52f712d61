import type { Transaction } from '../data-model/index.js';
import {
  Decoder,
  type Position,
  positionOf,
  SequenceClock,
  type Source,
  type SourceBatch,
} from '../kit/index.js';

/** A source whose newest batch can be asked for: where a snapshot begins. */
export interface LogSource extends Source {
  /** The newest batch; null when nothing was ever written. */
  newestPosition(signal: AbortSignal): Promise<Position | null>;
}

interface FollowOptions {
  readonly readBatch?: ReadBatch;
  readonly releasesLog?: boolean | undefined;
}

/** Makes a transaction of a batch. */
export type ReadBatch = (bytes: Buffer, sequence: number, count: number) => Transaction;

/**
 * The source's log, read as far as asked and no further: batches that were pulled beyond are held. One decoder sees every
 * batch from the start point on, so that it knows what became of each key since.
 */
export class LogFollower {
  readonly #source: LogSource;
  readonly #readBatch: ReadBatch;
  readonly #releasesLog: boolean;
  #held: SourceBatch[] = [];
  #pulling: Promise<void> | undefined;
  #position: Position | null;
  latestSequence = 0;
  /** True when the source has told its newest sequence number. */
  #isTold = false;
  readonly #clock = new SequenceClock();
  #acknowledgedAtMs = Number.NEGATIVE_INFINITY;

  /**
   * @param start the last batch that was handled; null = none ever
   * @param options `readBatch`: what is made of each batch; default: it is decoded. `releasesLog`: false where others tell
   *   the source what it may forget
   */
  static async open(
    source: LogSource,
    start: Position | null,
    signal: AbortSignal,
    options: FollowOptions = {},
  ): Promise<LogFollower> {
    await source.open(start === null ? { kind: 'beginning' } : { kind: 'after', position: start }, signal);
    return new LogFollower(source, start, options);
  }

  private constructor(
    source: LogSource,
    start: Position | null,
    { readBatch = decoding(source), releasesLog = true }: FollowOptions,
  ) {
    this.#source = source;
    this.#readBatch = readBatch;
    this.#releasesLog = releasesLog;
    this.#position = start;
    this.latestSequence = start?.sequence ?? 0;
  }

  /** The last batch that `take` has given. */
  get position(): Position | null {
    return this.#position;
  }

  get sequence(): number {
    return this.#position?.sequence ?? 0;
  }

  /** For how long the source has had something behind `sequence`, in ms. */
  lagMs(sequence: number): number {
    return Math.round(this.#clock.lagMs(sequence, performance.now()));
  }

  /** True when the source has said, since this process began, that it has nothing behind `sequence`. */
  isLevelAt(sequence: number): boolean {
    return this.#isTold && this.latestSequence <= sequence;
  }

  get isIdle(): boolean {
    return this.#held.length === 0;
  }

  /** Asks the source for more, once; resolves when something came, or nothing for a while. */
  async pull(signal: AbortSignal): Promise<void> {
    if (this.#held.length > 0) return;
    this.#pulling ??= this.#pull(signal);
    try {
      await this.#pulling;
    } finally {
      this.#pulling = undefined;
    }
  }

  /** The transactions that are at hand up to sequence number `through`, at most about `maxBytes` of them, decoded. */
  take(through: number, maxBytes: number): Transaction[] {
    const taken: Transaction[] = [];
    let bytes = 0;
    let at = 0;
    for (; at < this.#held.length && bytes < maxBytes; at++) {
      const batch = this.#held[at];
      if (batch.sequence + batch.count - 1 > through) break;
      taken.push(this.#readBatch(batch.bytes, batch.sequence, batch.count));
      bytes += batch.bytes.length;
      if (batch.count > 0) this.#position = positionOf(batch);
    }
    this.#held.splice(0, at);
    return taken;
  }

  /** Everything up to `position` is safe in the target: the source need not keep it for us, but what comes behind. */
  async acknowledge(position: Position | null): Promise<void> {
    const now = performance.now();
    if (now - this.#acknowledgedAtMs < acknowledgeIntervalMs) return;
    this.#acknowledgedAtMs = now;
    await this.#source.acknowledge(this.#releasesLog ? (position ?? nothing) : nothing);
  }

  async #pull(signal: AbortSignal): Promise<void> {
    const pulled = await this.#source.pull({ maxBatches: pullBatches, maxBytes: pullBytes }, signal);
    this.#isTold = true;
    if (pulled === null) return;
    this.latestSequence = Math.max(pulled.latestSequence, this.sequence);
    this.#clock.note(this.latestSequence, performance.now());
    this.#held = [...pulled.batches];
  }
}

/** One decoder for the whole log, so that it knows what became of each key. */
const decoding = ({ hasSlots = false }: Source): ReadBatch => {
  const decoder = new Decoder({ hasSlots });
  return (bytes) => decoder.decode(bytes);
};

/** Lets go of nothing; but the source hears that somebody is there. */
const nothing: Position = { sequence: 0, count: 0, crc: 0 };

const acknowledgeIntervalMs = 1_000;
const pullBatches = 1_000;
const pullBytes = 1024 * 1024;
