import { TailraceError } from '../../errors/index.js';
import {
  allocateWords,
  clearRun,
  forEachRun,
  isRunClear,
  runBackward,
  runForward,
  setRun,
} from './bit-runs.js';
import { FreeRuns } from './free-runs.js';
import { shortLimit } from './short-runs.js';
import { SizeClasses } from './size-classes.js';
import { type Replay, replayJournal } from './space-journal.js';

/** 16 TiB of 4 KiB units. */
export const maxUnits = 2 ** 32 - 1024;

/** Contiguous units. */
export interface Run {
  readonly start: number;
  readonly length: number;
}

/** Settings of a space manager. */
export interface SpaceOptions {
  /** The longest run that is placed through the index, in units; longer ones take a search of the whole bitmap. */
  readonly maxRunUnits: number;
}

/**
 * Hands out contiguous runs of units of a data file, cut to exactly the length asked, and takes them back.
 *
 * The invariant: placement is best fit at the lowest address, a function of the set of free units alone. A manager
 * rebuilt from its bitmap after a crash therefore continues exactly as the lost one would have, and replicas and
 * simulations agree bit for bit. Nothing is kept for a used run; whoever refers to it knows its length.
 *
 * Memory: one bit a unit, and about a fifth of that for the index, whatever the number or size of the runs.
 * Single-threaded and synchronous. Knows nothing of files, pins or time: `VersionedSpace` keeps freed units from
 * being handed out while an older state needs them.
 */
export class SpaceManager {
  #units: number;
  /** Units that bitmap and index have room for. */
  #capacity: number;
  #runs: FreeRuns;
  #freeUnits: number;
  readonly #classes: SizeClasses;

  /**
   * A manager of `units` free units, or over the free units of `bitmap` (as `serialize` returned it). `change` may
   * change the words of the bitmap, as `bit-runs` has them, before the index is made from them.
   */
  constructor(
    units: number,
    options: SpaceOptions,
    bitmap?: Uint8Array,
    change?: (words: Int32Array) => void,
  ) {
    if (!Number.isInteger(units) || units < 0 || units > maxUnits)
      throw new TailraceError('LIMIT_EXCEEDED', `a space of ${units} units is outside 0 to ${maxUnits}`, {
        context: { limit: maxUnits, actual: units },
        remedy: 'Choose a larger unit size.',
      });
    this.#units = units;
    this.#capacity = units;
    this.#classes = new SizeClasses(options.maxRunUnits);
    const words = allocateWords(units);
    if (bitmap !== undefined) this.#load(words, bitmap);
    else if (units > 0) setRun(words, 0, units);
    change?.(words);
    this.#runs = new FreeRuns(words, units, this.#classes);
    this.#freeUnits = this.#runs.buildIndex(units);
  }

  /**
   * The manager as it was when a crash came: the saved bitmap, and the journal of what was done since. Placement goes
   * on exactly as the lost manager's would have.
   * @throws TailraceError `STORE_CORRUPT` when the journal contradicts the bitmap
   */
  static recover(
    units: number,
    options: SpaceOptions,
    bitmap: Uint8Array,
    journal: Uint8Array,
  ): { space: SpaceManager; replay: Replay } {
    let replay: Replay = { operations: 0, byteLength: 0 };
    const space = new SpaceManager(units, options, bitmap, (words) => {
      replay = replayJournal(words, units, journal);
    });
    return { space, replay };
  }

  get units(): number {
    return this.#units;
  }

  get freeUnits(): number {
    return this.#freeUnits;
  }

  /** Bytes of memory that the manager holds. */
  get byteLength(): number {
    return this.#runs.byteLength + this.#classes.ofLength.byteLength;
  }

  /** Takes the best-fitting run of `length` units. Returns its first unit, or -1 when no free run is that long. */
  allocate(length: number): number {
    if (!Number.isInteger(length) || length < 1)
      throw this.#fault('allocate', -1, length, 'requests are of 1 unit or more');
    const start = length < this.#runs.overLong ? this.#runs.take(length) : this.#takeOverLong(length);
    if (start < 0) return -1;
    this.#freeUnits -= length;
    return start;
  }

  /**
   * Takes `length` units in one run, or, when no run is that long, in as few as there must be: the longest runs
   * first, the rest by best fit. Undefined, and nothing taken, when that needs more than `maxRuns`.
   */
  allocateRuns(length: number, maxRuns: number): Run[] | undefined {
    const runs: Run[] = [];
    for (let rest = length; ; ) {
      const start = this.allocate(rest);
      if (start >= 0) {
        runs.push({ start, length: rest });
        return runs;
      }
      const longest = runs.length + 1 < maxRuns ? this.#takeLongest(rest) : undefined;
      if (longest === undefined) break;
      runs.push(longest);
      rest -= longest.length;
    }
    for (const run of runs) this.free(run.start, run.length);
    return undefined;
  }

  /** Gives a run back; it joins its free neighbours and may be handed out at once. */
  free(start: number, length: number): void {
    const isInside = start >= 0 && length >= 1 && start + length <= this.#units;
    const runs = this.#runs;
    if (!isInside || !(length < shortLimit ? runs.giveShort(start, length) : runs.give(start, length)))
      throw this.#fault('free', start, length, 'not all in use');
    this.#freeUnits += length;
  }

  /** Marks a given run as used, as replay does; every unit of it must be free. */
  reserve(start: number, length: number): void {
    const end = start + length;
    const { words, overLong } = this.#runs;
    if (start < 0 || length <= 0 || end > this.#units || runForward(words, start, length) < length)
      throw this.#fault('reserve', start, length, 'not all free');
    this.#runs.settle();
    const before = start > 0 ? runBackward(words, start - 1, overLong) : 0;
    const behind = runForward(words, end, overLong);
    clearRun(words, start, length);
    this.#freeUnits -= length;
    if (before > 0) this.#runs.add(start - before, before);
    if (behind > 0) this.#runs.add(end, behind);
  }

  isUsed(start: number, length: number): boolean {
    return isRunClear(this.#runs.words, start, length);
  }

  /** Units in use from `first`, a multiple of 32, on, as bits; none behind the end of the space. */
  copyUsed(first: number, into: Int32Array): void {
    const words = this.#runs.words;
    const at = first / 32;
    const inside = Math.max(0, Math.min(into.length * 32, this.#units - first));
    const whole = inside >>> 5;
    for (let i = 0; i < whole; i++) into[i] = ~words[at + i];
    if (whole === into.length) return;
    const rest = inside & 31;
    into[whole] = rest === 0 ? 0 : ~words[at + whole] & ((1 << rest) - 1);
    into.fill(0, whole + 1);
  }

  /** Adds free units at the end. Room for as many again is made at a time, so that growing in steps stays cheap. */
  grow(units: number): void {
    const before = this.#units;
    if (!Number.isInteger(units) || units <= before || units > maxUnits)
      throw this.#fault('grow', before, units - before, `from ${before} units, at most ${maxUnits}`);
    if (units > this.#capacity) this.#makeRoom(Math.min(maxUnits, Math.max(units, this.#capacity * 2)));
    this.#units = units;
    this.free(before, units - before);
  }

  /** Free units at the very end of the space: what `shrink` could give back. */
  get freeTailUnits(): number {
    return this.#units === 0 ? 0 : runBackward(this.#runs.words, this.#units - 1, this.#units);
  }

  /** Drops free units from the end. */
  shrink(units: number): void {
    const dropped = this.#units - units;
    const tail = this.freeTailUnits;
    if (!Number.isInteger(units) || dropped <= 0 || dropped > tail)
      throw this.#fault('shrink', units, dropped, `${tail} units at the end are free`);
    this.#runs.settle();
    clearRun(this.#runs.words, units, dropped); // bits behind the end stay 0
    this.#freeUnits -= dropped;
    this.#units = units;
    if (tail > dropped) this.#runs.add(units - (tail - dropped), tail - dropped);
  }

  forEachFreeRun(visit: (start: number, length: number) => void): void {
    forEachRun(this.#runs.words, this.#units, visit);
  }

  /**
   * The bitmap: bit `u & 7` of byte `u >>> 3` is 1 when unit u is free (the words are little-endian, so this is the
   * memory as it stands). Borrowed: a view that changes with the next operation.
   */
  serialize(): Uint8Array {
    return new Uint8Array(this.#runs.words.buffer, this.#runs.words.byteOffset, (this.#units + 7) >>> 3);
  }

  /** Checks the counters and that every free run can be found through the index. @throws `INTERNAL` */
  check(): void {
    let found = 0;
    this.forEachFreeRun((start, length) => {
      found += length;
      if (!this.#runs.isKnown(start, length))
        throw this.#fault('check', start, length, 'a free run that the index does not know');
    });
    if (found !== this.#freeUnits)
      throw this.#fault('check', 0, found, `free units are counted as ${this.#freeUnits}`);
  }

  #load(words: Int32Array, bitmap: Uint8Array): void {
    const bytes = new Uint8Array(words.buffer, words.byteOffset, (this.#units + 7) >>> 3);
    if (bitmap.length !== bytes.length)
      throw this.#fault(
        'load',
        0,
        bitmap.length * 8,
        `bitmap has ${bitmap.length} bytes, expected ${bytes.length}`,
      );
    bytes.set(bitmap);
    const rest = this.#units & 7;
    if (rest !== 0) bytes[bytes.length - 1] &= (1 << rest) - 1;
  }

  #takeOverLong(length: number): number {
    let found = -1;
    this.forEachFreeRun((start, run) => {
      if (found < 0 && run >= length) found = start;
    });
    if (found < 0) return -1;
    this.#runs.settle();
    return this.#runs.takeAt(found, length);
  }

  /** Takes up to `length` units of a run of the largest class. */
  #takeLongest(length: number): Run | undefined {
    const run = this.#runs.takeLongest(length);
    if (run !== undefined) this.#freeUnits -= run.length;
    return run;
  }

  #makeRoom(capacity: number): void {
    const words = allocateWords(capacity);
    words.set(this.#runs.words);
    this.#runs = new FreeRuns(words, capacity, this.#classes);
    this.#runs.buildIndex(this.#units);
    this.#capacity = capacity;
  }

  #fault(operation: string, start: number, length: number, reason: string): TailraceError {
    return new TailraceError(
      'INTERNAL',
      `space manager: ${operation} of ${length} units at ${start}: ${reason}`,
      {
        context: { start, length, units: this.#units },
        remedy: 'This is a defect, or the space state does not belong to this data file.',
      },
    );
  }
}
