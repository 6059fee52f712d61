import { clearRun, isRunClear, runBackward, runForward, setRun, spareWords } from './bit-runs.js';
import { indexFreeRuns } from './index-free-runs.js';
import { RegionIndex } from './region-index.js';
import { findExactRun, findRunOfClass, none, tooShort } from './run-search.js';
import { ShortRuns, shortLimit } from './short-runs.js';
import type { SizeClasses } from './size-classes.js';

/**
 * The free units of a space, and where among them a run of a given length is: a bitmap, which is the truth, and two
 * indexes of regions, one of runs shorter than a word, by their length, in small regions, since nearly all are short
 * and a region is searched word by word; the other of longer ones, by their class.
 *
 * Hot: every allocation and every free (bench `space`).
 */
export class FreeRuns {
  /** 1 = free; `spareWords` more than there are units for. */
  readonly words: Int32Array;
  /** The least length that the index tells from no longer one. */
  readonly overLong: number;
  readonly #classOf: Uint16Array;
  readonly #lastExact: number;
  readonly #short: ShortRuns;
  readonly #long: RegionIndex;
  readonly #longShift: number;
  readonly #longRegionUnits: number;

  /** Of a bitmap with room for `capacity` units, none of which is known to the index yet. */
  constructor(words: Int32Array, capacity: number, classes: SizeClasses) {
    this.words = words;
    this.overLong = classes.maxRunUnits + 1;
    this.#classOf = classes.ofLength;
    this.#lastExact = classes.lastExact;
    this.#longShift = longShiftFor(capacity);
    this.#longRegionUnits = 1 << this.#longShift;
    this.#long = new RegionIndex(Math.max(1, Math.ceil(capacity / this.#longRegionUnits)), classes.limit);
    this.#short = new ShortRuns(words, capacity, shortShiftFor(capacity), (unit) => this.#addAround(unit));
  }

  /** Makes all free runs known; returns the number of free units. */
  buildIndex(units: number): number {
    return indexFreeRuns(this, units);
  }

  get byteLength(): number {
    return this.words.byteLength + this.#short.byteLength + this.#long.byteLength;
  }

  /** Makes a maximal free run known to the index. */
  add(start: number, length: number): void {
    if (length < shortLimit) this.#short.add(length, start);
    else {
      const { overLong } = this;
      this.#long.add(this.#classOf[length < overLong ? length : overLong], start >>> this.#longShift);
    }
  }

  isKnown(start: number, length: number): boolean {
    this.#short.settle();
    if (length < shortLimit) return this.#short.isKnown(length, start);
    return this.#long.has(this.#classOf[Math.min(length, this.overLong)], start >>> this.#longShift);
  }

  /** Takes the best-fitting run of up to `overLong - 1` units; `none` when no free run is that long. */
  take(length: number): number {
    if (length < shortLimit) {
      const start = this.#short.take(length);
      return start >= 0 ? start : this.#takeLong(this.#long.classFrom(1), length);
    }
    this.#short.settle();
    const wanted = this.#classOf[length];
    if (wanted <= this.#lastExact || !this.#long.hasClass(wanted))
      return this.#takeLong(this.#long.classFrom(wanted), length);
    // An inexact class also holds runs that are shorter than asked.
    let start = this.#lowestRun(wanted, length);
    if (start >= 0) return this.takeAt(start, length);
    const isClassTooShort = start === tooShort;
    start = this.#takeLong(this.#long.classFrom(wanted + 1), length);
    return start < 0 && isClassTooShort ? this.#searchClass(wanted, length) : start;
  }

  /** Takes a run of the largest class, up to `length` units of it; undefined when nothing is free. */
  takeLongest(length: number): { start: number; length: number } | undefined {
    this.#short.settle();
    for (let at = this.#long.largestClass(); at !== 0; at = this.#long.largestClass()) {
      const start = this.#lowestRun(at, 0);
      if (start < 0) continue; // the class was stale, and is gone now
      const run = runForward(this.words, start, length);
      return { start: this.takeAt(start, run), length: run };
    }
    for (let run = this.#short.longest; run !== 0; run = this.#short.longest) {
      const taken = run < length ? run : length;
      const start = this.#short.take(taken);
      if (start >= 0) return { start, length: taken };
    }
    return undefined;
  }

  /** Takes units from the first of a free run on. */
  takeAt(start: number, length: number): number {
    const rest = runForward(this.words, start, this.overLong + length) - length;
    clearRun(this.words, start, length);
    if (rest > 0) this.add(start + length, rest);
    return start;
  }

  /** Gives back a run shorter than a word. False, and nothing done, when not all of it is in use. */
  giveShort(start: number, length: number): boolean {
    return this.#short.give(start, length);
  }

  /** Call before units are taken out of the words, but by the methods here. */
  settle(): void {
    this.#short.settle();
  }

  /** Gives back a run of any length. False, and nothing done, when not all of it is in use. */
  give(start: number, length: number): boolean {
    if (!isRunClear(this.words, start, length)) return false;
    setRun(this.words, start, length);
    this.#addAround(start);
    return true;
  }

  /** Makes the free run around a unit known to the index; returns the unit behind what it saw of that run. */
  #addAround(unit: number): number {
    const before = unit > 0 ? runBackward(this.words, unit - 1, this.overLong) : 0;
    const behind = runForward(this.words, unit, this.overLong);
    // A run that was over-long before stays in the same class, and its first region is known already, or will be when the
    // lowest of what was given back is settled, too.
    if (before < this.overLong) this.add(unit - before, before + behind);
    return unit + behind;
  }

  /** Takes from the lowest run of the first class from `sizeClass` on, all of whose runs are long enough. */
  #takeLong(sizeClass: number, length: number): number {
    for (let at = sizeClass; at !== 0; at = this.#long.classFrom(at)) {
      const start = this.#lowestRun(at, 0);
      if (start >= 0) return this.takeAt(start, length);
    }
    return none;
  }

  /**
   * The lowest run of a class that has at least `length` units, which the caller takes; `none`, or `tooShort` when the
   * first region that holds any has none that long. The region is removed from the class with its last run, as are
   * stale regions met on the way.
   */
  #lowestRun(sizeClass: number, length: number): number {
    for (;;) {
      const region = this.#long.lowestRegion(sizeClass);
      if (region < 0) return none;
      const found = this.#findLong(sizeClass, region, length);
      if (found === tooShort) return tooShort;
      if ((found & 1) === 0) this.#long.remove(sizeClass, region);
      if (found >= 0) return region * this.#longRegionUnits + (found >>> 1);
    }
  }

  /** Rare: every longer class is empty and the lowest region's runs are too short; looks into the class's others. */
  #searchClass(sizeClass: number, length: number): number {
    const index = this.#long;
    for (
      let region = index.regionFrom(sizeClass, 0);
      region >= 0;
      region = index.regionFrom(sizeClass, region + 1)
    ) {
      const found = this.#findLong(sizeClass, region, length);
      if (found >= 0) return this.takeAt(region * this.#longRegionUnits + (found >>> 1), length);
    }
    return none;
  }

  #findLong(sizeClass: number, region: number, length: number): number {
    const first = region << (this.#longShift - 5);
    const last = this.#lastWord(first, this.#longShift);
    return sizeClass > this.#lastExact
      ? findRunOfClass(this.words, first, last, this.#classOf, sizeClass, length)
      : findExactRun(this.words, first, last, sizeClass + shortLimit - 1);
  }

  /** The last word of the region that begins with word `first`. */
  #lastWord(first: number, shift: number): number {
    const last = first + (1 << (shift - 5));
    const end = this.words.length - spareWords;
    return (last < end ? last : end) - 1;
  }
}

/** Regions of short runs: half a cache line of bits; above 2^26 units of more, so that the index stays small. */
const shortShiftFor = (units: number): number => (units <= 2 ** 26 ? 8 : longShiftFor(units));

/** At most the million regions that a `RegionIndex` takes. */
const longShiftFor = (units: number): number => (units <= 2 ** 29 ? 10 : units <= 2 ** 31 ? 11 : 12);
