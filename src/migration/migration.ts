import type { Transaction } from '../data-model/index.js';
import { TailraceError } from '../errors/index.js';
import type { Position } from '../kit/index.js';
import { Coverage, type CoverageState } from './coverage.js';
import { FinishLine } from './finish-line.js';
import { KeptParts } from './kept-parts.js';
import type { KeyImage } from './key-image.js';
import { keyAt } from './key-place.js';
import type { KeyPart } from './key-reader.js';
import { LogFollower } from './log-follower.js';
import type { MigrationOptions, MigrationPhase, MigrationStatus } from './migration-options.js';
import { PartReader, sizeOf } from './part-reader.js';
import { ReadAhead } from './read-ahead.js';
import { tooLarge } from './record-part.js';
import { type Images, noImages, StepWriter, snapshotOf } from './step-writer.js';

/**
 * Copies a data set that is being written to, and follows its log. One run of the class is one process's share of a
 * migration; the state file and the target's position make the next one go on. The proof is in docs/migration.md.
 *
 * A step is: changes of the log that count, then the images of one part of the keys, then the position; written to the
 * target as one unit. So the target moves from one moment of the source's history to the next, as far as it is covered.
 */
export class Migration {
  readonly #options: MigrationOptions;
  readonly #steps: StepWriter;
  readonly #kept: KeptParts | undefined;
  readonly #reader: PartReader;
  readonly #end: FinishLine;
  #follower: LogFollower | undefined;
  #coverage: Coverage;
  #phase: MigrationPhase = 'prepare';
  #changes = 0;
  #skippedKeys = 0;
  readonly #ahead = new ReadAhead<KeyPart>();
  /** How often in a row pending keys were read in vain. */
  #vainReads = 0;

  constructor(options: MigrationOptions) {
    this.#options = options;
    this.#steps = new StepWriter(options);
    this.#kept = KeptParts.of(options, 'keys');
    this.#reader = new PartReader(options, this.#kept);
    this.#end = new FinishLine(options.end);
    this.#coverage = this.#makeCoverage([]);
  }

  /**
   * Runs to its end, or until `signal` aborts: then what is being written is finished first.
   * @throws TailraceError what ended it; run again, it goes on
   */
  async run(signal: AbortSignal): Promise<void> {
    try {
      await this.#ahead.run(signal, async (during) => {
        await this.#prepare(during);
        await this.#copy(during);
        this.#phase = 'done';
      });
    } finally {
      await this.#reader.whenIdle();
    }
  }

  /** Where the target stands; null = nothing was ever written. */
  get position(): Position | null {
    return this.#steps.current.at;
  }

  get status(): MigrationStatus {
    // Not what was taken of the log, but what the target has.
    const sequence = this.#steps.current.log?.sequence ?? 0;
    return {
      phase: this.#phase,
      keys: this.#steps.current.keys,
      bytes: this.#steps.current.bytes,
      parts: this.#reader.parts,
      pendingKeys: this.#coverage.pending.size,
      changes: this.#changes,
      skippedKeys: this.#skippedKeys,
      sequence,
      lag: Math.max(0, (this.#follower?.latestSequence ?? 0) - sequence),
      lagMs: this.#follower?.lagMs(sequence) ?? 0,
    };
  }

  async #prepare(signal: AbortSignal): Promise<void> {
    const { log, source, target, title = 'migration', clearsTarget = false } = this.#options;
    const { excluded, isNew } = await this.#steps.start(signal);
    const { current } = this.#steps;
    this.#coverage = this.#makeCoverage(excluded);
    this.#kept?.start(!isNew && !current.isComplete);
    if (clearsTarget && current.step === 0) this.#steps.collectClear();
    const { releasesLog } = this.#options;
    this.#follower = await LogFollower.open(log, current.log, signal, { releasesLog });
    this.#options.logger.info(`${title} ${isNew ? 'started' : 'goes on'}`, {
      source,
      target,
      sequence: this.#follower.sequence,
      ...(isNew ? {} : { copiedKeys: current.keys }),
    });
  }

  /** @param excluded names of keys that are left alone */
  #makeCoverage(excluded: readonly string[]): Coverage {
    const { namespaces } = this.#options;
    return new Coverage(this.#steps.current, {
      namespaces: namespaces === undefined ? undefined : new Set(namespaces),
      excluded: new Set(excluded),
    });
  }

  async #copy(signal: AbortSignal): Promise<void> {
    try {
      await this.#copyParts(signal);
    } finally {
      await this.#steps.whenWritten();
    }
  }

  async #copyParts(signal: AbortSignal): Promise<void> {
    while (!(await this.#isDone(signal))) {
      signal.throwIfAborted();
      this.#showPhase();
      if (this.#coverage.isComplete && this.#coverage.pending.size === 0) {
        await this.#follow(signal);
        continue;
      }
      const part = await (this.#ahead.take() ?? this.#readPart(this.#coverage.place, signal));
      if (!(await this.#reach(part, signal))) continue;
      const counting = this.#finish();
      // The next part is read while this one is written.
      if (!this.#coverage.isComplete) this.#ahead.give(this.#readPart(this.#coverage.place, signal));
      await this.#deliver(part, counting, signal);
      if (part.walk !== undefined && this.#coverage.isComplete) await this.#tellCopied(signal);
    }
    await this.#steps.seal(this.#coverage.state, this.#logFollower.position, signal);
  }

  /** Every key has been read, and is in the target. */
  async #tellCopied(signal: AbortSignal): Promise<void> {
    await this.#steps.whenWritten();
    this.#kept?.clear();
    await this.#options.onCopied?.(signal);
  }

  /** Reads a part: the next of the walk with pending keys besides, or pending keys alone. */
  async #readPart(after: CoverageState['place'], signal: AbortSignal): Promise<KeyPart> {
    const pending = [...this.#coverage.pending];
    return this.#coverage.isComplete
      ? await this.#reader.readPending(pending, this.#vainReads >= maxVainReads, signal)
      : await this.#reader.readWalk(after, pending, this.#logFollower.sequence, signal);
  }

  /**
   * Takes the log through the moment of the part; false when the part must be read again, since the source was restarted
   * and what was read may never become durable.
   */
  async #reach(part: KeyPart, signal: AbortSignal): Promise<boolean> {
    const follower = this.#logFollower;
    const { keys, source } = this.#options;
    // Changes of its keys between the two would have been passed over already.
    const low = Math.min(part.low, part.rangeLow);
    if (low < follower.sequence) throw readInThePast(source, low, follower.sequence);
    this.#coverage.begin(part);
    while (follower.sequence < part.high) {
      const transactions = follower.take(part.high, stepBytes);
      if (transactions.length > 0) this.#collect(transactions);
      else if (!follower.isIdle) break;
      else {
        await follower.pull(signal);
        if (follower.isIdle && !(await keys.isSameSession(part, signal))) break;
      }
      if (this.#steps.collectedBytes >= stepBytes) await this.#writeStep(noImages, signal);
    }
    if (follower.sequence >= part.high && (await keys.isSameSession(part, signal))) return true;
    this.#options.logger.warn('the source was restarted, reading a part again', {
      source,
    });
    this.#coverage.abandon();
    return false;
  }

  /** What counts of the part that has been reached. */
  #finish(): Images {
    const whole = this.#coverage.finishWhole();
    if (whole !== undefined)
      return { ...whole, transactions: whole.runs.map(({ transaction }) => transaction) };
    const images = this.#coverage.finish();
    for (const image of images) if (image.unsupported !== undefined) this.#skip(image, image.unsupported);
    const changes = images.flatMap((image) => image.changes);
    const transactions = changes.length === 0 ? [] : [snapshotOf(changes, this.#logFollower.sequence)];
    return { ...sizeOf(images), transactions };
  }

  async #deliver(part: KeyPart, images: Images, signal: AbortSignal): Promise<void> {
    this.#steps.collectImages(images, this.#logFollower.sequence);
    const isVain = part.walk === undefined && images.transactions.length === 0;
    this.#vainReads = isVain ? this.#vainReads + 1 : 0;
    await this.#writeStep(images, signal);
  }

  async #follow(signal: AbortSignal): Promise<void> {
    const follower = this.#logFollower;
    await follower.pull(signal);
    const transactions = follower.take(Number.POSITIVE_INFINITY, stepBytes);
    if (transactions.length === 0) {
      await this.#steps.requireHeld(signal);
      return;
    }
    this.#end.moved();
    this.#collect(transactions);
    await this.#steps.write(this.#coverage.state, follower.position, noImages, signal);
    await this.#steps.whenWritten();
    await follower.acknowledge(this.#steps.current.log);
  }

  #collect(transactions: readonly Transaction[]): void {
    for (const transaction of transactions) {
      const counting = this.#coverage.filter(transaction);
      this.#changes += counting.changes.length;
      this.#steps.collect(counting, transaction.bytes.length);
    }
  }

  /** Writes what was collected, with the state that holds behind it. */
  async #writeStep(images: Images, signal: AbortSignal): Promise<void> {
    await this.#steps.write(this.#coverage.state, this.#logFollower.position, images, signal);
    await this.#logFollower.acknowledge(this.#steps.current.log);
  }

  async #isDone(signal: AbortSignal): Promise<boolean> {
    if (!this.#coverage.isComplete || this.#coverage.pending.size > 0) return false;
    await this.#steps.whenWritten();
    return await this.#end.isReached(this.#logFollower, signal);
  }

  #showPhase(): void {
    if (!this.#coverage.isComplete) this.#phase = 'snapshot';
    else if (this.#phase !== 'following') {
      const isLevel = this.#coverage.pending.size === 0 && this.#logFollower.isLevelAt(this.status.sequence);
      this.#phase = isLevel ? 'following' : 'catch-up';
    }
  }

  #skip(image: KeyImage, reason: string): void {
    const key = JSON.stringify(keyAt(image.place).key.toString());
    if (this.#options.skipsUnsupported !== true && reason === tooLarge)
      throw new TailraceError('LIMIT_EXCEEDED', `the key ${key} cannot be copied: ${reason}`, {
        context: { key },
        remedy: 'Raise --max-key-bytes, which costs memory, or leave such keys out with --skip-unsupported.',
      });
    if (this.#options.skipsUnsupported !== true)
      throw new TailraceError('DECODE_UNSUPPORTED', `the key ${key} cannot be copied: ${reason}`, {
        context: { key },
        remedy:
          this.#options.title === 'snapshot'
            ? 'Delete it at the source, or set errors.undecodable to skip.'
            : 'Delete it at the source, or leave such keys out with --skip-unsupported.',
      });
    this.#skippedKeys++;
    this.#options.logger.warn('left out a key that cannot be copied', { key, reason });
  }

  get #logFollower(): LogFollower {
    if (this.#follower === undefined) throw new RangeError('the migration has not been prepared');
    return this.#follower;
  }
}

const readInThePast = (source: string, sequence: number, log: number): TailraceError =>
  new TailraceError(
    'HISTORY_MISMATCH',
    `the keys of ${source} are of ${sequence}, its log was read to ${log}`,
    {
      context: { source, sequence, log },
      remedy:
        'It was put back to an earlier state, or another server answers there: start over with --restart.',
    },
  );

/** So often are keys that change all the time read beside the writers; then the writers wait for the read. */
const maxVainReads = 3;
/** Bytes of the log that are written to the target at once. */
const stepBytes = 1024 * 1024;
