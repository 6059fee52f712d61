import { randomInt } from 'node:crypto';
import { type Change, countChanges, type Transaction } from '../data-model/index.js';
import { TailraceError } from '../errors/index.js';
import { crc32c, isSamePosition, type Position } from '../kit/index.js';
import type { CoverageState } from './coverage.js';
import type { LogSource } from './log-follower.js';
import { type MigrationOptions, patientRetry } from './migration-options.js';
import type { MigrationState, MigrationStep } from './state-file.js';
import { TargetWriter } from './target-writer.js';

/** What it needs of a migration's options. */
export type StepWriterOptions = Omit<MigrationOptions, 'log' | 'keys' | 'namespaces' | 'end'> & {
  readonly log: Pick<LogSource, 'newestPosition'>;
};

/** What is delivered of a part. */
export interface Images {
  readonly transactions: readonly Transaction[];
  readonly keys: number;
  readonly byteLength: number;
}

export const noImages: Images = { transactions: [], keys: 0, byteLength: 0 };

/** What a start has found. */
export interface StartedSteps {
  /** Names of keys that are left alone. */
  readonly excluded: readonly string[];
  /** False when an earlier process's work goes on. */
  readonly isNew: boolean;
}

/**
 * Writes the steps of a migration to the target, so that whoever starts again knows which was the last: before each step
 * the state file gets the state behind it beside those that the target may be in; the step and its position are one
 * transaction in the target; and after a crash the target's position says which of them holds.
 *
 * One step is under way while the next is collected, encoded and, as far as it takes no effect by itself, sent.
 */
export class StepWriter {
  readonly #options: StepWriterOptions;
  readonly #writer: TargetWriter;
  #state: MigrationState;
  /** The last step that the target has taken. */
  #current: MigrationStep;
  /** The last one that was given to it. */
  #given: MigrationStep;
  /** That one, while it is under way; rejects when the target did not take it. */
  #writing: Promise<void> | undefined;
  /** What goes to the target with the next step. */
  readonly #collected: Transaction[] = [];
  #collectedBytes = 0;
  /** Changes of images in what was collected. */
  #collectedImageChanges = 0;

  constructor(options: StepWriterOptions) {
    this.#options = options;
    const { sink, target, retry = patientRetry, skipsUnsupported = false, withoutRefused, logger } = options;
    this.#writer = new TargetWriter(sink, {
      name: target,
      retry,
      skipsRefused: skipsUnsupported,
      withoutRefused,
      log: logger,
    });
    this.#current = this.#given = firstStep(null, null);
    this.#state = { id: 0, source: options.source, target, steps: [] };
  }

  /** The last step that the target has taken. */
  get current(): MigrationStep {
    return this.#current;
  }

  /** The last step that was given to be written: the next one begins where it ends. */
  get given(): MigrationStep {
    return this.#given;
  }

  /** Bytes of the log in what was collected. */
  get collectedBytes(): number {
    return this.#collectedBytes;
  }

  /**
   * Claims the target, and finds the step where it stands, or begins with the newest batch of the log.
   * @throws TailraceError `USAGE` | `HISTORY_MISMATCH` | `OFFSETS_CORRUPT`, and what the claim throws
   */
  async start(signal: AbortSignal): Promise<StartedSteps> {
    const { stateFile, restarts, source, target, prepareTarget } = this.#options;
    const found = restarts ? undefined : stateFile.load();
    if (found !== undefined && (found.source !== source || found.target !== target))
      throw otherMigration(stateFile.path, found);
    // What the target holds is looked at before the claim writes its first key there.
    const excluded = found === undefined ? ((await prepareTarget?.(signal)) ?? []) : stateFile.loadExcluded();
    const held = await this.#writer.claim(signal);
    if (found === undefined) await this.#begin(held, excluded, signal);
    else await this.#goOn(held);
    return { excluded, isNew: found === undefined };
  }

  async #begin(held: Position | null, excluded: readonly string[], signal: AbortSignal): Promise<void> {
    const { stateFile, restarts, log, source, target } = this.#options;
    if (held !== null && !restarts) throw lostState(target, stateFile.path);
    const newest = await log.newestPosition(signal);
    this.#current = this.#given = firstStep(held, newest);
    this.#state = { id: randomId(), source, target, steps: [] };
    await stateFile.saveExcluded(excluded);
    await stateFile.begin({ ...this.#state, steps: [this.#current] });
  }

  /** Only now that the target is claimed: an earlier process may have gone on with its steps until then. */
  async #goOn(held: Position | null): Promise<void> {
    const { stateFile, sink } = this.#options;
    this.#state = await stateFile.takeOver(randomId());
    const last = this.#state.steps.at(-1)?.at ?? null;
    this.#current = this.#given = this.#stepAt(this.#state, sink.holdsPosition ? held : last);
    this.#writer.startAt(this.#current.at);
  }

  /**
   * For one that has nothing to write.
   * @throws TailraceError `SINK_FENCED` when another process goes on with the migration; `HISTORY_MISMATCH` when the target is no
   *   longer where it was left
   */
  async requireHeld(signal: AbortSignal): Promise<void> {
    this.#options.stateFile.requireOwned();
    await this.whenWritten();
    await this.#writer.requireHeld(signal);
  }

  /** Takes along with the next step what the target is to apply. `logBytes` = how much of the log it was. */
  collect(transaction: Transaction, logBytes: number): void {
    this.#collectedBytes += logBytes;
    if (countChanges(transaction) > 0) this.#collected.push(transaction);
  }

  /** Takes along a batch that a target of the same format applies as it is. */
  collectBatch(transaction: Transaction, logBytes: number): void {
    this.#collectedBytes += logBytes;
    this.#collected.push(transaction);
  }

  /** Takes along, as of `seq`, what was read of keys. */
  collectImages({ transactions }: Images, seq: number): void {
    const { keepsNumbers = true } = this.#options;
    for (const transaction of transactions) {
      const first = firstImageIndex + this.#given.imageChanges + this.#collectedImageChanges;
      this.#collected.push(keepsNumbers ? numbered(transaction, seq, first) : transaction);
      this.#collectedImageChanges += keepsNumbers ? transaction.changes.length : countChanges(transaction);
    }
  }

  /** With the first step goes what the target holds. */
  collectClear(): void {
    const seq = this.#given.log?.sequence ?? 0;
    const index = firstImageIndex - 1;
    const clear = { seq, index, ns: '', slot: undefined, op: 'clear', type: 'all' } as const;
    this.#collected.push(snapshotOf([clear], seq));
  }

  /**
   * Writes what was collected, with the state that holds behind it, of which `images` are a part. Resolves when it is under
   * way, the target having taken every step before it.
   */
  async write(
    coverage: CoverageState,
    log: Position | null,
    images: Images,
    signal: AbortSignal,
  ): Promise<void> {
    const { stateFile, sink } = this.#options;
    const before = this.#given;
    // Then the position alone says everything.
    const isFollowing = before.isComplete && log !== null && [before, coverage].every(isPlain);
    const step = before.step + 1;
    const after: MigrationStep = {
      ...coverage,
      step,
      log,
      at: isFollowing ? log : snapshotPosition(this.#state.id, step, log),
      imageChanges: before.imageChanges + this.#collectedImageChanges,
      keys: before.keys + images.keys,
      bytes: before.bytes + images.byteLength,
    };
    const transactions = await this.#transformed(this.#collected.splice(0));
    const byteLength = this.#collectedBytes + images.byteLength;
    this.#collectedBytes = 0;
    this.#collectedImageChanges = 0;
    const position = after.at;
    if (position === null) {
      // Nothing was ever written at the source: there is nothing to write, and no position to write it at.
      await this.whenWritten();
      this.#current = this.#given = { ...after, at: before.at };
      await stateFile.save({ ...this.#state, steps: [this.#current] });
      return;
    }
    // A target without a position of its own could not tell which step holds: there each is saved when it is taken.
    if (isFollowing || !sink.holdsPosition) stateFile.requireOwned();
    else {
      const possible = before === this.#current ? [before] : [this.#current, before];
      const saving = stateFile.save({ ...this.#state, steps: [...possible, after] });
      saving.catch(() => undefined); // seen when it is awaited
      // Until the state is on disk the target gets what takes no effect by itself.
      sink.prepare?.(transactions);
      await saving;
    }
    await this.whenWritten();
    this.#given = after;
    this.#writing = this.#write(transactions, position, byteLength, signal);
    this.#writing.catch(() => undefined); // seen when it is awaited
    if (!sink.holdsPosition) await this.whenWritten();
  }

  /** Waits until the target has taken every step that was given to it. */
  async whenWritten(): Promise<void> {
    await this.#writing;
    this.#writing = undefined;
  }

  async #write(
    transactions: readonly Transaction[],
    position: Position,
    byteLength: number,
    signal: AbortSignal,
  ): Promise<void> {
    const { stateFile, sink } = this.#options;
    const step = this.#given;
    await this.#writer.write(transactions, position, byteLength, signal);
    this.#current = step;
    if (!sink.holdsPosition) await stateFile.save({ ...this.#state, steps: [step] });
  }

  /** Leaves the target at a position of the log itself, from where any pipeline can go on. */
  async seal(coverage: CoverageState, log: Position | null, signal: AbortSignal): Promise<void> {
    await this.whenWritten();
    if (log === null || isSamePosition(this.#current.at, log)) return;
    await this.write(coverage, log, noImages, signal);
    await this.whenWritten();
    await this.#options.stateFile.save({ ...this.#state, steps: [this.#current] });
  }

  /** The step that the target has taken, by its own position. */
  #stepAt(stored: MigrationState, held: Position | null): MigrationStep {
    const known = stored.steps.findLast((step) => isSamePosition(step.at, held));
    if (known !== undefined) return known;
    // While it only follows, the target's position alone says where it stands.
    const last = stored.steps.at(-1);
    const isFollowing = last?.isComplete === true && isPlain(last);
    if (isFollowing && held !== null && held.count > 0 && held.sequence >= (last.log?.sequence ?? 0))
      return { ...last, at: held, log: held };
    throw lostState(stored.target, this.#options.stateFile.path);
  }

  async #transformed(transactions: readonly Transaction[]): Promise<readonly Transaction[]> {
    const { transform } = this.#options;
    if (transform === undefined) return transactions;
    const seen: Transaction[] = [];
    for (const transaction of transactions) seen.push(await transform(transaction));
    return seen;
  }
}

/** Where the changes of images begin to count within a sequence number: behind those of any batch. */
const firstImageIndex = 1_000_000;

const noBytes = Buffer.alloc(0);

const randomId = (): number => randomInt(2 ** 32);

/** Changes that are not of the log. */
export const snapshotOf = (changes: readonly Change[], seq: number): Transaction => ({
  first: seq,
  last: seq,
  count: 0,
  bytes: noBytes,
  changes,
  undecodable: [],
  isSnapshot: true,
});

/** With places in the order of all changes, for a target that keeps them. */
const numbered = ({ changes }: Transaction, seq: number, first: number): Transaction =>
  snapshotOf(
    changes.map((change, at) => ({ ...change, seq, index: first + at })),
    seq,
  );

const isPlain = ({ pending, leftOut }: CoverageState): boolean =>
  pending.length === 0 && leftOut.length === 0;

/** Nothing is covered. */
const firstStep = (at: Position | null, log: Position | null): MigrationStep => ({
  place: undefined,
  isComplete: false,
  pending: [],
  leftOut: [],
  at,
  log,
  step: 0,
  imageChanges: 0,
  keys: 0,
  bytes: 0,
});

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
