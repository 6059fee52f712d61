import { TailraceError } from '../../errors/index.js';
import {
  allocateWords,
  clearRun,
  forEachRun,
  isRunClear,
  runBackward,
  runForward,
  setRun,
  spareWords,
  trailingZeros,
} from './bit-runs.js';
import { indexFreeRuns } from './index-free-runs.js';
import { RegionIndex } from './region-index.js';
import { findExactRun, findRunOfClass, findShortRun, none, shortLimit, tooShort } from './run-search.js';
import { SizeClasses } from './size-classes.js';
import { type Replay, replayJournal } from './space-journal.js';

/** 16 TiB of 4 KiB units. */
export const maxUnits = 2 ** 32 - 1024;

/** Contiguous units. */
export interface Run {
  readonly start: number;
  readonly length: number;
}

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
  /** Units that words and index have room for. */
  #capacity: number;
  #words: Int32Array;
  #index: RegionIndex;
  #regionShift: number;
  #freeUnits = 0;
  readonly #classes: SizeClasses;
  readonly #classOf: Uint16Array;
  readonly #overLong: number;

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
    this.#regionShift = regionShiftFor(units);
    // Every run shorter than a word needs a class of its own.
    this.#classes = new SizeClasses(Math.max(options.maxRunUnits, shortLimit - 1));
    this.#classOf = this.#classes.ofLength;
    this.#overLong = this.#classes.maxRunUnits + 1;
    this.#words = allocateWords(units);
    if (bitmap === undefined) {
      if (units > 0) setRun(this.#words, 0, units);
    } else this.#load(bitmap);
    change?.(this.#words);
    this.#index = this.#buildIndex();
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
    return this.#words.byteLength + this.#index.byteLength + this.#classOf.byteLength;
  }

  /** Takes the best-fitting run of `length` units. Returns its first unit, or -1 when no free run is that long. */
  allocate(length: number): number {
    this.#requireLength(length);
    if (length >= this.#overLong) return this.#searchLongest(length);
    if (length < shortLimit) {
      const start = this.#takeShort(length);
      if (start >= 0) return start;
    }
    const wanted = this.#classOf[length];
    let start = none;
    let sizeClass = this.#index.classFrom(wanted);
    let isClassTooShort = false;
    if (length > this.#classes.exactUnits && sizeClass === wanted) {
      // An inexact class also holds runs that are shorter than asked.
      start = this.#lowestRun(wanted, length);
      isClassTooShort = start === tooShort;
      if (start < 0) sizeClass = this.#index.classFrom(wanted + 1);
    }
    while (start < 0) {
      if (sizeClass === 0) return isClassTooShort ? this.#searchClass(wanted, length) : none;
      start = this.#lowestRun(sizeClass, 0);
      if (start < 0) sizeClass = this.#index.classFrom(sizeClass + 1);
    }
    return this.#take(start, length);
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

  /** Gives a run back; it joins its free neighbours and may be handed out at once. Hot. */
  free(start: number, length: number): void {
    if (length < 1 || length >= shortLimit || start < 0 || start + length > this.#units) {
      this.#freeLong(start, length);
      return;
    }
    // A run shorter than a word lies in two at most, and what it joins mostly does too. Few branches: each one that
    // hangs on the bitmap is guessed before the bitmap has come from memory.
    const words = this.#words;
    const at = start >>> 5;
    const bit = start & 31;
    // The index is asked first, for a run that joins nothing: so both wait for memory at the same time.
    const isKnown = this.#index.has(length, start >>> this.#regionShift);
    const mask = (1 << length) - 1;
    const low = mask << bit;
    const high = (mask >>> 1) >>> (31 - bit);
    const word = words[at];
    const next = words[at + 1];
    const usedBefore = at > 0 ? ~words[at - 1] : -1;
    if (((word & low) | (next & high)) !== 0) this.#requireUsed(start, length);
    words[at] = word | low;
    words[at + 1] = next | high;
    this.#freeUnits += length;
    const used = ~(word | low);
    // Free units up to the first one, and from it on: in its word, and when that ends free, in the next.
    let before = Math.clz32(used << (31 - bit));
    const goesBefore = (bit - before) >> 31;
    before = (before & ~goesBefore) | ((bit + 1 + Math.clz32(usedBefore)) & goesBefore);
    let behind = trailingZeros(used >>> bit);
    const goesBehind = (31 - bit - behind) >> 31;
    behind = (behind & ~goesBehind) | ((32 - bit + trailingZeros(~(next | high))) & goesBehind);
    if (before === bit + 33 || behind === 64 - bit) {
      this.#indexAround(start);
      return;
    }
    const run = before + behind - 1;
    if (run === length && isKnown) return;
    const overLong = this.#overLong;
    this.#index.add(
      this.#classOf[run < overLong ? run : overLong],
      (start - before + 1) >>> this.#regionShift,
    );
  }

  #freeLong(start: number, length: number): void {
    this.#requireUsed(start, length);
    setRun(this.#words, start, length);
    this.#freeUnits += length;
    this.#indexAround(start);
  }

  /** Makes the free run around a unit known to the index. */
  #indexAround(unit: number): void {
    const before = unit > 0 ? runBackward(this.#words, unit - 1, this.#overLong) : 0;
    // A run that was over-long before stays in the same class, and its first region is known already.
    if (before === this.#overLong) return;
    this.#addRun(unit - before, before + runForward(this.#words, unit, this.#overLong));
  }

  /** Marks a given run as used, as replay does; every unit of it must be free. */
  reserve(start: number, length: number): void {
    const end = start + length;
    if (start < 0 || length <= 0 || end > this.#units || runForward(this.#words, start, length) < length)
      throw this.#fault('reserve', start, length, 'not all free');
    const before = start > 0 ? runBackward(this.#words, start - 1, this.#overLong) : 0;
    const behind = runForward(this.#words, end, this.#overLong);
    clearRun(this.#words, start, length);
    this.#freeUnits -= length;
    if (before > 0) this.#addRun(start - before, before);
    if (behind > 0) this.#addRun(end, behind);
  }

  isUsed(start: number, length: number): boolean {
    return isRunClear(this.#words, start, length);
  }

  /** Units in use from `first`, a multiple of 32, on, as bits; none behind the end of the space. */
  copyUsed(first: number, into: Int32Array): void {
    const words = this.#words;
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
    return this.#units === 0 ? 0 : runBackward(this.#words, this.#units - 1, this.#units);
  }

  /** Drops free units from the end. */
  shrink(units: number): void {
    const dropped = this.#units - units;
    const tail = this.freeTailUnits;
    if (!Number.isInteger(units) || dropped <= 0 || dropped > tail)
      throw this.#fault('shrink', units, dropped, `${tail} units at the end are free`);
    clearRun(this.#words, units, dropped); // bits behind the end stay 0
    this.#freeUnits -= dropped;
    this.#units = units;
    if (tail > dropped) this.#addRun(units - (tail - dropped), tail - dropped);
  }

  forEachFreeRun(visit: (start: number, length: number) => void): void {
    forEachRun(this.#words, this.#units, visit);
  }

  /**
   * The bitmap: bit `u & 7` of byte `u >>> 3` is 1 when unit u is free (the words are little-endian, so this is the
   * memory as it stands). Borrowed: a view that changes with the next operation.
   */
  serialize(): Uint8Array {
    return new Uint8Array(this.#words.buffer, this.#words.byteOffset, (this.#units + 7) >>> 3);
  }

  /** Checks the counters and that every free run can be found through the index. @throws `INTERNAL` */
  check(): void {
    let found = 0;
    this.forEachFreeRun((start, length) => {
      found += length;
      const sizeClass = this.#classOf[Math.min(length, this.#overLong)];
      if (!this.#index.has(sizeClass, start >>> this.#regionShift))
        throw this.#fault('check', start, length, 'a free run that the index does not know');
    });
    if (found !== this.#freeUnits)
      throw this.#fault('check', 0, found, `free units are counted as ${this.#freeUnits}`);
  }

  #load(bitmap: Uint8Array): void {
    const bytes = new Uint8Array(this.#words.buffer, this.#words.byteOffset, (this.#units + 7) >>> 3);
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

  #buildIndex(): RegionIndex {
    const regionCount = Math.max(1, Math.ceil(this.#capacity / 2 ** this.#regionShift));
    this.#index = new RegionIndex(regionCount, this.#classes.limit);
    this.#freeUnits = indexFreeRuns(this.#index, this.#words, this.#units, this.#regionShift, this.#classOf);
    return this.#index;
  }

  #addRun(start: number, length: number): void {
    this.#index.add(this.#classOf[Math.min(length, this.#overLong)], start >>> this.#regionShift);
  }

  /** Takes the best-fitting run that is shorter than a word; `none` when there is none so short. Hot. */
  #takeShort(length: number): number {
    const words = this.#words;
    const index = this.#index;
    for (let run = index.classFrom(length); run !== 0 && run < shortLimit; run = index.classFrom(run)) {
      const region = index.lowestRegion(run);
      const first = region << (this.#regionShift - 5);
      const found = findShortRun(words, first, this.#lastWordOf(first), run);
      if (found < 0 || (found & 1) === 0) index.remove(run, region);
      if (found < 0) continue; // the region was stale
      const at = first + (found >>> 6);
      const bit = (found >>> 1) & 31;
      const mask = (1 << length) - 1;
      words[at] &= ~(mask << bit);
      words[at + 1] &= ~((mask >>> 1) >>> (31 - bit));
      this.#freeUnits -= length;
      const start = ((at << 5) | bit) >>> 0;
      if (run > length) index.add(run - length, (start + length) >>> this.#regionShift);
      return start;
    }
    return none;
  }

  /**
   * The lowest run of a class that has at least `length` units, which the caller takes; `none`, or `tooShort` when the
   * first region that holds any has none that long. The region is removed from the class with its last run, as are
   * stale regions met on the way.
   */
  #lowestRun(sizeClass: number, length: number): number {
    const words = this.#words;
    for (;;) {
      const region = this.#index.lowestRegion(sizeClass);
      if (region < 0) return none;
      const first = region << (this.#regionShift - 5);
      const last = this.#lastWordOf(first);
      const found =
        sizeClass > this.#classes.exactUnits
          ? findRunOfClass(words, first, last, this.#classOf, sizeClass, length)
          : sizeClass < shortLimit
            ? findShortRun(words, first, last, sizeClass)
            : findExactRun(words, first, last, sizeClass);
      if (found === tooShort) return tooShort;
      if (found < 0 || (found & 1) === 0) this.#index.remove(sizeClass, region);
      if (found >= 0) return first * 32 + (found >>> 1);
    }
  }

  /** Rare: every longer class is empty and the lowest region's runs are too short; looks into the class's others. */
  #searchClass(sizeClass: number, length: number): number {
    const index = this.#index;
    for (
      let region = index.regionFrom(sizeClass, 0);
      region >= 0;
      region = index.regionFrom(sizeClass, region + 1)
    ) {
      const first = region << (this.#regionShift - 5);
      const found = findRunOfClass(
        this.#words,
        first,
        this.#lastWordOf(first),
        this.#classOf,
        sizeClass,
        length,
      );
      if (found >= 0) return this.#take(first * 32 + (found >>> 1), length);
    }
    return none;
  }

  /** The last word of the region that begins with word `first`. */
  #lastWordOf(first: number): number {
    const last = first + (1 << (this.#regionShift - 5));
    const end = this.#words.length - spareWords;
    return (last < end ? last : end) - 1;
  }

  #take(start: number, length: number): number {
    const rest = runForward(this.#words, start, this.#overLong + length) - length;
    clearRun(this.#words, start, length);
    this.#freeUnits -= length;
    if (rest > 0) this.#addRun(start + length, rest);
    return start;
  }

  #searchLongest(length: number): number {
    let found = -1;
    this.forEachFreeRun((start, run) => {
      if (found < 0 && run >= length) found = start;
    });
    return found < 0 ? -1 : this.#take(found, length);
  }

  /** Takes up to `length` units of a run of the largest class. */
  #takeLongest(length: number): Run | undefined {
    for (;;) {
      const sizeClass = this.#index.largestClass();
      if (sizeClass === 0) return undefined;
      const start = this.#lowestRun(sizeClass, 0);
      if (start < 0) continue; // the class was stale, and is gone now
      const run = runForward(this.#words, start, length);
      return { start: this.#take(start, run), length: run };
    }
  }

  #makeRoom(capacity: number): void {
    const words = allocateWords(capacity);
    words.set(this.#words);
    this.#words = words;
    this.#capacity = capacity;
    this.#regionShift = regionShiftFor(capacity);
    this.#buildIndex();
  }

  #requireLength(length: number): void {
    if (!Number.isInteger(length) || length < 1)
      throw this.#fault('allocate', -1, length, 'requests are of 1 unit or more');
  }

  #requireUsed(start: number, length: number): void {
    if (start < 0 || length < 1 || start + length > this.#units || !isRunClear(this.#words, start, length))
      throw this.#fault('free', start, length, 'not all in use');
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

/** Regions of 512 units, whose bits are one cache line; above 2^26 units of more, so that the index stays small. */
const regionShiftFor = (units: number): number => (units <= 2 ** 26 ? 9 : units <= 2 ** 29 ? 10 : 11);
