import type { Transaction } from '../data-model/index.js';
import { isTailraceError, TailraceError } from '../errors/index.js';
import { crc32c, isSamePosition, type Logger, type Position, type Sink } from '../kit/index.js';
import type { RetryOptions, TransactionTransform } from '../pipeline/index.js';
import { Coverage, type CoverageState } from './coverage.js';
import { isGone, type KeyImage } from './key-image.js';
import { keyAt, placeOfName } from './key-place.js';
import type { KeyPart, KeyReader, WholePart } from './key-reader.js';
import { LogFollower, type LogSource } from './log-follower.js';
import { RateLimit, type RateLimits } from './rate-limit.js';
import type { MigrationState, MigrationStep, StateFile } from './state-file.js';
import { TargetWriter } from './target-writer.js';
import { whileUnreachable } from './while-unreachable.js';

/**
 * When a migration ends. `caught-up`: with everything that was written before its snapshot was done. `quiet`: when the
 * source has taken no write for `quietMs` and the target has all of them. `never`: when it is told to.
 */
export type MigrationEnd = { kind: 'caught-up' } | { kind: 'quiet'; quietMs: number } | { kind: 'never' };

export interface MigrationOptions {
  /** For the state file and messages. */
  readonly source: string;
  readonly target: string;
  readonly log: LogSource;
  readonly keys: KeyReader;
  readonly sink: Sink;
  readonly stateFile: StateFile;
  /** Namespaces that are copied, as changes name them; undefined = all. */
  readonly namespaces: readonly string[] | undefined;
  /** What the target sees of the changes. */
  readonly transform?: TransactionTransform | undefined;
  /** Asked once, before anything is written: the names of keys of the target that are left alone. */
  readonly prepareTarget?: (signal: AbortSignal) => Promise<readonly string[]>;
  /** Starts over although the target or the state file hold an earlier migration. */
  readonly restarts?: boolean;
  /** Says `clear` before the first key, so that what the target holds and the source does not disappears. */
  readonly clearsTarget?: boolean;
  readonly end: MigrationEnd;
  readonly skipsUnsupported?: boolean;
  /** False for a target that keeps no sequence numbers, such as a Redis: then images need not be given theirs. */
  readonly keepsNumbers?: boolean;
  readonly rates?: RateLimits;
  readonly retry?: RetryOptions;
  readonly part?: { readonly maxKeys: number; readonly maxBytes: number };
  readonly logger: Logger;
}

export type MigrationPhase = 'prepare' | 'snapshot' | 'catch-up' | 'following' | 'done';

export interface MigrationStatus {
  readonly phase: MigrationPhase;
  /** Keys and bytes that the snapshot has delivered, before an interruption too. */
  readonly keys: number;
  readonly bytes: number;
  /** Parts of the walk that were read by this process. */
  readonly parts: number;
  /** Keys that changed while they were read and are to be read again. */
  readonly pendingKeys: number;
  /** Changes of the log that were delivered. */
  readonly changes: number;
  /** Keys that could not be copied, with `skipsUnsupported`. */
  readonly skippedKeys: number;
  /** The source's sequence number that the target has reached. */
  readonly sequence: number;
  /** Sequence numbers between the source's newest and the target. */
  readonly lag: number;
}

/**
 * Copies a data set that is being written to, and follows its log. One run of the class is one process's share of a
 * migration; the state file and the target's position make the next one go on. The proof is in docs/migration.md.
 *
 * A step is: changes of the log that count, then the images of one part of the keys, then the position; written to the
 * target as one unit. So the target moves from one moment of the source's history to the next, as far as it is covered.
 */
export class Migration {
  readonly #options: MigrationOptions;
  readonly #writer: TargetWriter;
  readonly #rate: RateLimit;
  #follower: LogFollower | undefined;
  #coverage: Coverage;
  #state: MigrationState;
  #current: MigrationStep;
  /** What counts of the log and is not yet written. */
  readonly #collected: Transaction[] = [];
  #collectedBytes = 0;
  #phase: MigrationPhase = 'prepare';
  #parts = 0;
  #changes = 0;
  #skippedKeys = 0;
  /** Where the log must be for `caught-up`. */
  #goal: number | undefined;
  #idleSinceMs = 0;
  /** Names of keys that are left alone. */
  #excluded: ReadonlySet<string> = new Set();
  /** The next part, which is read while the last one is written. */
  #reading: Promise<KeyPart> | undefined;
  /** How often in a row pending keys were read in vain. */
  #vainReads = 0;

  constructor(options: MigrationOptions) {
    this.#options = options;
    this.#rate = new RateLimit(options.rates ?? { keysPerSecond: 0, bytesPerSecond: 0 });
    this.#writer = new TargetWriter(options.sink, {
      name: options.target,
      retry: this.#retry,
      skipsRefused: options.skipsUnsupported ?? false,
      log: options.logger,
    });
    this.#current = { ...nothingCovered, at: null, log: null, step: 0, imageChanges: 0, keys: 0, bytes: 0 };
    this.#state = { id: 0, source: options.source, target: options.target, steps: [] };
    this.#coverage = this.#makeCoverage();
  }

  /**
   * Runs to its end, or until `signal` aborts: then what is being written is finished first.
   * @throws TailraceError what ended it; run again, it goes on
   */
  async run(signal: AbortSignal): Promise<void> {
    const over = new AbortController();
    try {
      await this.#prepare(signal);
      await this.#copy(AbortSignal.any([signal, over.signal]));
      this.#phase = 'done';
    } catch (error) {
      if (!signal.aborted || isTailraceError(error, 'SINK_FAILED')) throw error;
    } finally {
      // A part that is being read ahead must not hold, nor open again, a connection that nobody waits for.
      over.abort();
      await this.#reading?.catch(() => undefined);
    }
  }

  /** Where the target stands; null = nothing was ever written. */
  get position(): Position | null {
    return this.#current.at;
  }

  get status(): MigrationStatus {
    const sequence = this.#follower?.sequence ?? 0;
    return {
      phase: this.#phase,
      keys: this.#current.keys,
      bytes: this.#current.bytes,
      parts: this.#parts,
      pendingKeys: this.#coverage.pending.size,
      changes: this.#changes,
      skippedKeys: this.#skippedKeys,
      sequence,
      lag: Math.max(0, (this.#follower?.latestSequence ?? 0) - sequence),
    };
  }

  async #prepare(signal: AbortSignal): Promise<void> {
    const { stateFile, restarts, log, source, target, prepareTarget } = this.#options;
    const stored = restarts ? undefined : stateFile.load();
    if (stored !== undefined && (stored.source !== source || stored.target !== target))
      throw otherMigration(stateFile.path, stored);
    // What the target holds is looked at before the claim writes its first key there.
    const excluded =
      stored === undefined ? ((await prepareTarget?.(signal)) ?? []) : stateFile.loadExcluded();
    this.#excluded = new Set(excluded);
    const held = await this.#writer.claim(signal, stored?.steps.at(-1)?.at ?? null);
    if (stored === undefined) {
      if (held !== null && !restarts) throw lostState(target, stateFile.path);
      const newest = await log.newestPosition(signal);
      this.#state = { id: Date.now() % 2 ** 32, source, target, steps: [] };
      await stateFile.saveExcluded(excluded);
      this.#current = {
        ...nothingCovered,
        at: held,
        log: newest,
        step: 0,
        imageChanges: 0,
        keys: 0,
        bytes: 0,
      };
      await stateFile.save({ ...this.#state, steps: [this.#current] });
    } else {
      this.#state = stored;
      this.#current = this.#stepAt(stored, held);
    }
    this.#coverage = this.#makeCoverage();
    if (this.#options.clearsTarget === true && this.#current.step === 0) this.#collectClear();
    this.#follower = await LogFollower.open(log, this.#current.log, signal);
    this.#options.logger.info(stored === undefined ? 'migration started' : 'migration goes on', {
      source,
      target,
      sequence: this.#follower.sequence,
      keys: this.#current.keys,
    });
  }

  /** With the first step goes what the target holds. */
  #collectClear(): void {
    const seq = this.#current.log?.sequence ?? 0;
    const clear = {
      seq,
      index: firstImageIndex - 1,
      ns: '',
      slot: undefined,
      op: 'clear',
      type: 'all',
    } as const;
    const none = { bytes: noBytes, undecodable: [], isSnapshot: true };
    this.#collected.push({ first: seq, last: seq, count: 0, changes: [clear], ...none });
  }

  /** The step that the target has taken, by its own position. */
  #stepAt(stored: MigrationState, held: Position | null): MigrationStep {
    const known = stored.steps.findLast((step) => isSamePosition(step.at, held));
    if (known !== undefined) return known;
    // While it only follows, the target's position alone says where it stands.
    const last = stored.steps.at(-1);
    const isFollowing = last?.isComplete === true && last.pending.length === 0 && last.leftOut.length === 0;
    if (isFollowing && held !== null && held.count > 0 && held.sequence >= (last.log?.sequence ?? 0))
      return { ...last, at: held, log: held };
    throw lostState(stored.target, this.#options.stateFile.path);
  }

  #makeCoverage(): Coverage {
    const { namespaces } = this.#options;
    return new Coverage(this.#current, {
      namespaces: namespaces === undefined ? undefined : new Set(namespaces),
      excluded: this.#excluded,
    });
  }

  async #copy(signal: AbortSignal): Promise<void> {
    while (!(await this.#isDone(signal))) {
      signal.throwIfAborted();
      this.#showPhase();
      if (this.#coverage.isComplete && this.#coverage.pending.size === 0) {
        await this.#follow(signal);
        continue;
      }
      const part = await (this.#reading ?? this.#readPart(this.#coverage.place, signal));
      this.#reading = undefined;
      if (!(await this.#reach(part, signal))) continue;
      const counting = this.#finish(part);
      // The next part is read while this one is written.
      if (!this.#coverage.isComplete) {
        this.#reading = this.#readPart(this.#coverage.place, signal);
        this.#reading.catch(() => undefined); // seen when it is awaited
      }
      await this.#deliver(part, counting, signal);
    }
    await this.#seal(signal);
  }

  /** Reads a part: the next of the walk with pending keys besides, or pending keys alone. */
  async #readPart(after: CoverageState['place'], signal: AbortSignal): Promise<KeyPart> {
    const pending = [...this.#coverage.pending].slice(0, maxPendingRead).map(placeOfName);
    const { maxKeys, maxBytes } = this.#options.part ?? defaultPart;
    const limit = {
      maxKeys: Math.min(maxKeys, this.#rate.maxKeys),
      maxBytes: Math.min(maxBytes, this.#rate.maxBytes),
    };
    const { keys } = this.#options;
    const part = await whileUnreachable(this.#retry, this.#options.logger, signal, () =>
      this.#coverage.isComplete
        ? keys.readKeys(pending, this.#vainReads >= maxVainReads, signal)
        : keys.read(after, pending, limit, signal),
    );
    if (part.walk !== undefined) this.#parts++;
    const { keys: read, byteLength } = part.whole ?? this.#joined(part.images);
    await this.#rate.spend(read, byteLength, signal);
    return part;
  }

  /**
   * Takes the log through the moment of the part; false when the part must be read again, since the source was restarted
   * and what was read may never become durable.
   */
  async #reach(part: KeyPart, signal: AbortSignal): Promise<boolean> {
    const follower = this.#logFollower;
    const { keys } = this.#options;
    this.#coverage.begin(part);
    while (follower.sequence < part.high) {
      const transactions = follower.take(part.high, stepBytes);
      if (transactions.length > 0) this.#collect(transactions);
      else if (!follower.isIdle) break;
      else {
        await follower.pull(signal);
        if (follower.isIdle && !(await keys.isSameSession(part, signal))) break;
      }
      if (this.#collectedBytes >= stepBytes) await this.#writeStep(nothing, signal);
    }
    if (follower.sequence >= part.high && (await keys.isSameSession(part, signal))) return true;
    this.#options.logger.warn('the source was restarted, reading a part again', {
      source: this.#options.source,
    });
    this.#coverage.abandon();
    return false;
  }

  /** What counts of the part. */
  #finish(part: KeyPart): Images {
    if (part.whole !== undefined && this.#coverage.finishWhole()) return part.whole;
    const images = this.#coverage.finish();
    for (const image of images) if (image.unsupported !== undefined) this.#skip(image, image.unsupported);
    return this.#joined(images);
  }

  /** Images one after the other. */
  #joined(images: readonly KeyImage[]): Images {
    const changes = images.flatMap((image) => image.changes);
    const byteLength = images.reduce((total, image) => total + image.byteLength, 0);
    return { changes, keys: images.filter((image) => !isGone(image)).length, byteLength };
  }

  async #deliver(part: KeyPart, images: Images, signal: AbortSignal): Promise<void> {
    const seq = this.#logFollower.sequence;
    const firstIndex = firstImageIndex + this.#current.imageChanges;
    const { keepsNumbers = true } = this.#options;
    const changes = keepsNumbers
      ? images.changes.map((change, at) => ({ ...change, seq, index: firstIndex + at }))
      : images.changes;
    if (changes.length > 0)
      this.#collected.push({
        first: seq,
        last: seq,
        count: 0,
        bytes: noBytes,
        changes,
        undecodable: [],
        isSnapshot: true,
      });
    this.#vainReads = part.walk === undefined && changes.length === 0 ? this.#vainReads + 1 : 0;
    await this.#writeStep(images, signal);
  }

  async #follow(signal: AbortSignal): Promise<void> {
    const follower = this.#logFollower;
    await follower.pull(signal);
    const transactions = follower.take(Number.POSITIVE_INFINITY, stepBytes);
    if (transactions.length === 0) return;
    this.#idleSinceMs = performance.now();
    this.#collect(transactions);
    await this.#writeStep(nothing, signal);
  }

  #collect(transactions: readonly Transaction[]): void {
    for (const transaction of transactions) {
      const counting = this.#coverage.filter(transaction);
      this.#changes += counting.changes.length;
      this.#collectedBytes += transaction.bytes.length;
      if (counting.changes.length > 0) this.#collected.push(counting);
    }
  }

  /** Writes what was collected, with the state that holds behind it. */
  async #writeStep(images: Images, signal: AbortSignal): Promise<void> {
    const { stateFile, sink } = this.#options;
    const log = this.#logFollower.position;
    const before = this.#current;
    const coverage = this.#coverage.state;
    // Then the position alone says everything.
    const isFollowing = before.isComplete && log !== null && [before, coverage].every(isPlain);
    const step = before.step + 1;
    const after: MigrationStep = {
      ...coverage,
      step,
      log,
      at: isFollowing ? log : snapshotPosition(this.#state.id, step, log),
      imageChanges: before.imageChanges + images.changes.length,
      keys: before.keys + images.keys,
      bytes: before.bytes + images.byteLength,
    };
    const transactions = await this.#transformed(this.#collected.splice(0));
    const byteLength = this.#collectedBytes + images.byteLength;
    this.#collectedBytes = 0;
    const position = after.at;
    if (position === null) {
      // Nothing was ever written at the source: there is nothing to write, and no position to write it at.
      this.#current = { ...after, at: before.at };
      await stateFile.save({ ...this.#state, steps: [this.#current] });
      return;
    }
    if (!isFollowing) await stateFile.save({ ...this.#state, steps: [before, after] });
    await this.#writer.write(transactions, position, byteLength, signal);
    this.#current = after;
    if (!sink.holdsPosition) await stateFile.save({ ...this.#state, steps: [after] });
    if (log !== null) await this.#logFollower.acknowledge(log);
  }

  async #transformed(transactions: readonly Transaction[]): Promise<readonly Transaction[]> {
    const { transform } = this.#options;
    if (transform === undefined) return transactions;
    const seen: Transaction[] = [];
    for (const transaction of transactions) seen.push(await transform(transaction));
    return seen;
  }

  /** Leaves the target at a position of the log itself, from where any pipeline can go on. */
  async #seal(signal: AbortSignal): Promise<void> {
    const log = this.#logFollower.position;
    if (log === null || isSamePosition(this.#current.at, log)) return;
    await this.#writeStep(nothing, signal);
    await this.#options.stateFile.save({ ...this.#state, steps: [this.#current] });
  }

  async #isDone(signal: AbortSignal): Promise<boolean> {
    const { end } = this.#options;
    const follower = this.#logFollower;
    if (!this.#coverage.isComplete || this.#coverage.pending.size > 0 || end.kind === 'never') return false;
    if (end.kind === 'caught-up') {
      if (this.#goal === undefined) {
        await follower.pull(signal);
        this.#goal = Math.max(follower.latestSequence, follower.sequence);
      }
      return follower.sequence >= this.#goal;
    }
    const isLevel = follower.isIdle && follower.sequence >= follower.latestSequence;
    if (!isLevel || this.#idleSinceMs === 0) {
      this.#idleSinceMs = performance.now();
      return false;
    }
    return performance.now() - this.#idleSinceMs >= end.quietMs;
  }

  #showPhase(): void {
    if (!this.#coverage.isComplete) this.#phase = 'snapshot';
    else if (this.#phase !== 'following') {
      const isLevel = this.#coverage.pending.size === 0 && this.status.lag === 0;
      this.#phase = isLevel ? 'following' : 'catch-up';
    }
  }

  #skip(image: KeyImage, reason: string): void {
    const key = JSON.stringify(keyAt(image.place).key.toString());
    if (this.#options.skipsUnsupported !== true)
      throw new TailraceError('DECODE_UNSUPPORTED', `the key ${key} cannot be copied: ${reason}`, {
        context: { key },
        remedy: 'Delete it at the source, or leave such keys out with --skip-unsupported.',
      });
    this.#skippedKeys++;
    this.#options.logger.warn('left out a key that cannot be copied', { key, reason });
  }

  get #retry(): RetryOptions {
    return this.#options.retry ?? { initialMs: 50, maxMs: 5_000, giveUpAfterMs: Number.POSITIVE_INFINITY };
  }

  get #logFollower(): LogFollower {
    if (this.#follower === undefined) throw new RangeError('the migration has not been prepared');
    return this.#follower;
  }
}

/** Where the changes of images begin to count within a sequence number: behind those of any batch. */
const firstImageIndex = 1_000_000;
const isPlain = ({ pending, leftOut }: CoverageState): boolean =>
  pending.length === 0 && leftOut.length === 0;
/** What is delivered of a part. */
type Images = Pick<WholePart, 'changes' | 'keys' | 'byteLength'>;

const nothing: Images = { changes: [], keys: 0, byteLength: 0 };
const nothingCovered: CoverageState = { place: undefined, isComplete: false, pending: [], leftOut: [] };
/** Large enough that the syncs of the state file cost little. */
const defaultPart = { maxKeys: 20_000, maxBytes: 2 * 1024 * 1024 };
/** Pending keys that are read at once. */
const maxPendingRead = 500;
/** So often are keys that change all the time read beside the writers; then the writers wait for the read. */
const maxVainReads = 3;
/** Bytes of the log that are written to the target at once. */
const stepBytes = 1024 * 1024;
const noBytes = Buffer.alloc(0);

/**
 * The target's position while its keys are not yet all covered: the log's sequence number, no count, which no batch has,
 * and a number of the step. So it is never taken for a place to follow the log from.
 */
const snapshotPosition = (id: number, step: number, log: Position | null): Position | null => {
  if (log === null) return null;
  return { sequence: log.sequence, count: 0, crc: crc32c(Buffer.from(`${id}:${step}`)) };
};

const otherMigration = (path: string, { source, target }: MigrationState): TailraceError =>
  new TailraceError('USAGE', `${path} belongs to the migration from ${source} to ${target}`, {
    context: { file: path },
    remedy: 'Name another file with --state, or remove that one.',
  });

const lostState = (target: string, path: string): TailraceError =>
  new TailraceError('HISTORY_MISMATCH', `${target} holds a position that ${path} knows nothing of`, {
    context: { target, file: path },
    remedy:
      'It was begun with another state file, or changed since: name that file, or start over with --restart.',
  });
