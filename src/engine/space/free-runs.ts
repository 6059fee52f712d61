import {
  clearRun,
  isRunClear,
  runBackward,
  runForward,
  setRun,
  spareWords,
  trailingZeros,
} from './bit-runs.js';
import { indexFreeRuns } from './index-free-runs.js';
import { RegionIndex } from './region-index.js';
import { findExactRun, findRunOfClass, findShortRun, none, tooShort } from './run-search.js';
import { type SizeClasses, shortLimit } from './size-classes.js';

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
  readonly #short: RegionIndex;
  readonly #shortShift: number;
  readonly #long: RegionIndex;
  readonly #longShift: number;

  /** Of a bitmap with room for `capacity` units, none of which is known to the index yet. */
  constructor(words: Int32Array, capacity: number, classes: SizeClasses) {
    this.words = words;
    this.overLong = classes.maxRunUnits + 1;
    this.#classOf = classes.ofLength;
    this.#lastExact = classes.lastExact;
    this.#shortShift = shortShiftFor(capacity);
    this.#longShift = longShiftFor(capacity);
    this.#short = new RegionIndex(regionCount(capacity, this.#shortShift), shortLimit);
    this.#long = new RegionIndex(regionCount(capacity, this.#longShift), classes.limit);
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
    if (length < shortLimit) this.#short.add(length, start >>> this.#shortShift);
    else {
      const { overLong } = this;
      this.#long.add(this.#classOf[length < overLong ? length : overLong], start >>> this.#longShift);
    }
  }

  isKnown(start: number, length: number): boolean {
    if (length < shortLimit) return this.#short.has(length, start >>> this.#shortShift);
    return this.#long.has(this.#classOf[Math.min(length, this.overLong)], start >>> this.#longShift);
  }

  /** Takes the best-fitting run of up to `overLong - 1` units; `none` when no free run is that long. */
  take(length: number): number {
    if (length < shortLimit) {
      const start = this.#takeShort(length);
      return start >= 0 ? start : this.#takeLong(this.#long.classFrom(1), length);
    }
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

  /** Takes up to `length` units of a run of the largest class: the first, or `none` when nothing is free. */
  longest(): number {
    for (;;) {
      const sizeClass = this.#long.largestClass();
      if (sizeClass === 0) break;
      const start = this.#lowestRun(sizeClass, 0);
      if (start >= 0) return start; // else the class was stale, and is gone now
    }
    for (;;) {
      const length = this.#short.largestClass();
      if (length === 0) return none;
      const region = this.#short.lowestRegion(length);
      const found = this.#findShort(length, region);
      if (found >= 0) return found;
    }
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
    // It lies in two words at most, and what it joins mostly does too. Few branches: each one that hangs on the bitmap
    // is guessed before the bitmap has come from memory.
    const { words } = this;
    const at = start >>> 5;
    const bit = start & 31;
    // The index is asked first, for a run that joins nothing: so both wait for memory at the same time.
    const isKnown = this.#short.has(length, start >>> this.#shortShift);
    const mask = (1 << length) - 1;
    const low = mask << bit;
    const high = (mask >>> 1) >>> (31 - bit);
    const word = words[at];
    const next = words[at + 1];
    const usedBefore = at > 0 ? ~words[at - 1] : -1;
    if (((word & low) | (next & high)) !== 0) return false;
    words[at] = word | low;
    words[at + 1] = next | high;
    const used = ~(word | low);
    // Free units up to the first one, and from it on: in its word, and when that ends free, in the next.
    let before = Math.clz32(used << (31 - bit));
    const goesBefore = (bit - before) >> 31;
    before = (before & ~goesBefore) | ((bit + 1 + Math.clz32(usedBefore)) & goesBefore);
    let behind = trailingZeros(used >>> bit);
    const goesBehind = (31 - bit - behind) >> 31;
    behind = (behind & ~goesBehind) | ((32 - bit + trailingZeros(~(next | high))) & goesBehind);
    const run = before + behind - 1;
    if (run >= shortLimit) this.addAround(start);
    else if (run !== length || !isKnown) this.#short.add(run, (start - before + 1) >>> this.#shortShift);
    return true;
  }

  /** Gives back a run of any length. False, and nothing done, when not all of it is in use. */
  give(start: number, length: number): boolean {
    if (!isRunClear(this.words, start, length)) return false;
    setRun(this.words, start, length);
    this.addAround(start);
    return true;
  }

  /** Makes the free run around a unit known to the index. */
  addAround(unit: number): void {
    const before = unit > 0 ? runBackward(this.words, unit - 1, this.overLong) : 0;
    // A run that was over-long before stays in the same class, and its first region is known already.
    if (before === this.overLong) return;
    this.add(unit - before, before + runForward(this.words, unit, this.overLong));
  }

  /** Takes the best-fitting run that is shorter than a word; `none` when there is none so short. */
  #takeShort(length: number): number {
    const { words } = this;
    const index = this.#short;
    const shift = this.#shortShift;
    for (let run = index.classFrom(length); run !== 0; run = index.classFrom(run)) {
      const region = index.lowestRegion(run);
      const first = region << (shift - 5);
      const found = findShortRun(words, first, first + (1 << (shift - 5)) - 1, run);
      if (found < 0 || (found & 1) === 0) index.remove(run, region);
      if (found < 0) continue; // the region was stale
      const at = first + (found >>> 6);
      const bit = (found >>> 1) & 31;
      const mask = (1 << length) - 1;
      words[at] &= ~(mask << bit);
      words[at + 1] &= ~((mask >>> 1) >>> (31 - bit));
      const start = ((at << 5) | bit) >>> 0;
      if (run > length) index.add(run - length, (start + length) >>> shift);
      return start;
    }
    return none;
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
      if (found < 0 || (found & 1) === 0) this.#long.remove(sizeClass, region);
      if (found >= 0) return region * 2 ** this.#longShift + (found >>> 1);
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
      if (found >= 0) return this.takeAt(region * 2 ** this.#longShift + (found >>> 1), length);
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

  /** The first run of exactly `length` units of a region, which is removed from the class with its last run. */
  #findShort(length: number, region: number): number {
    const first = region << (this.#shortShift - 5);
    const found = findShortRun(this.words, first, first + (1 << (this.#shortShift - 5)) - 1, length);
    if (found < 0 || (found & 1) === 0) this.#short.remove(length, region);
    return found < 0 ? none : first * 32 + (found >>> 1);
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

const regionCount = (units: number, shift: number): number => Math.max(1, Math.ceil(units / 2 ** shift));
