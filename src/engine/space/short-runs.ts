import { lowestBit, trailingZeros } from './bit-runs.js';
import { findShortRun } from './run-search.js';

/** Runs shorter than this, less than a word of the bitmap, are told apart by their length. */
export const shortLimit = 32;

/**
 * The free runs shorter than a word, which nearly all are: for each length the set of regions of the bitmap in which
 * such a run starts, with three summary levels.
 *
 * The sets are a hint. Freeing leaves stale bits behind; whoever looks and finds nothing clears the bit. Bits are never
 * missing once what was given back is settled, so that a length without bits really has no run.
 *
 * All stands in one array, since each array costs a hot function loads of its own. For each length side by side:
 *
 *   regions   a word for 32 regions
 *   summary   a bit for a word of regions
 *   top       a bit for a word of the summary
 *   root      a bit for a word of the top
 *   lowest    the number of the lowest word of regions that is not 0
 *   lengths   one word for all: a bit for each length that has a region
 *
 * Hot: every allocation and every free (bench `space`). No branch hangs on where free units stand if it can be helped,
 * since that is not to be guessed.
 */
export class ShortRuns {
  readonly #words: Int32Array;
  readonly #bits: Int32Array;
  // These have a value from the start: that they are small integers is then known to the machine code.
  #shift = 0;
  #regionWords = 0;
  #summaryAt = 0;
  #topAt = 0;
  #rootAt = 0;
  #lowestAt = 0;
  #lengthsAt = 0;
  readonly #onLong: (unit: number) => number;
  /** Starts of runs that were given back and are not settled yet. */
  readonly #given = new Int32Array(givenLimit);
  #givenCount = 0;
  /** What is read for no other reason than that it comes from memory early. */
  readonly #read = new Int32Array(givenLimit);
  readonly #settledLengths = new Int32Array(givenLimit);
  readonly #settledRegions = new Int32Array(givenLimit);

  /**
   * Of a bitmap with room for `capacity` units, in regions of 2^`shift`, at least 128. `onLong` is told a unit of each
   * run that is short no longer since a short one joined others; it returns a unit up to which that run reaches.
   */
  constructor(words: Int32Array, capacity: number, shift: number, onLong: (unit: number) => number) {
    const regions = Math.max(1, Math.ceil(capacity / 2 ** shift));
    if (regions > maxRegions) throw new RangeError(`${regions} regions are more than ${maxRegions}`);
    const levels = [5, 10, 15].map((bits) => Math.ceil(regions / 2 ** bits) * shortLimit);
    this.#words = words;
    this.#shift = shift;
    this.#regionWords = 1 << (shift - 5); // a power would be kept as a float
    this.#onLong = onLong;
    this.#summaryAt = levels[0];
    this.#topAt = this.#summaryAt + levels[1];
    this.#rootAt = this.#topAt + levels[2];
    this.#lowestAt = this.#rootAt + shortLimit;
    this.#lengthsAt = this.#lowestAt + shortLimit;
    this.#bits = new Int32Array(this.#lengthsAt + 1);
    this.#bits.fill(nowhere, this.#lowestAt, this.#lengthsAt);
  }

  get byteLength(): number {
    return this.#bits.byteLength;
  }

  /** Makes a maximal free run known. */
  add(length: number, start: number): void {
    const region = start >>> this.#shift;
    const at = (region & -32) | length;
    const before = this.#bits[at];
    this.#bits[at] = before | (first >>> (region & 31));
    if (before === 0) this.#addWord(length, region >>> 5);
  }

  isKnown(length: number, start: number): boolean {
    const region = start >>> this.#shift;
    return ((this.#bits[(region & -32) | length] << (region & 31)) & first) !== 0;
  }

  /** Takes the first units of the shortest run of at least `length`, the lowest of these; -1 when there is none. */
  take(length: number): number {
    if (this.#givenCount > 0) this.settle();
    const words = this.#words;
    const bits = this.#bits;
    for (;;) {
      const fitting = bits[this.#lengthsAt] & (-1 >>> length);
      if (fitting === 0) return -1;
      const run = Math.clz32(fitting);
      const word = bits[(this.#lowestAt + run) | 0];
      const regions = bits[(word << 5) | run];
      const region = Math.clz32(regions);
      const from = Math.imul((word << 5) | region, this.#regionWords);
      const found = findShortRun(words, from, (from + this.#regionWords) | 0, run);
      // The region's bit goes with its last run, or when it was stale, and the word's bit with its last region.
      const rest = regions & ~((((found & 1) ^ 1) << 31) >>> region);
      bits[(word << 5) | run] = rest;
      const summaryAt = (this.#summaryAt + ((word & -32) | run)) | 0;
      const summary = bits[summaryAt] & ~(((((rest | -rest) >>> 31) ^ 1) << 31) >>> (word & 31));
      bits[summaryAt] = summary;
      if (summary === 0) this.#leaveGroup(run, word >>> 5);
      else bits[(this.#lowestAt + run) | 0] = (word & -32) | Math.clz32(summary);
      if (found < 0) continue;
      const at = (from + (found >>> 6)) | 0;
      const bit = (found >>> 1) & 31;
      const mask = (1 << length) - 1;
      words[at] &= ~(mask << bit);
      words[at + 1] &= ~((mask >>> 1) >>> (31 - bit));
      const start = ((at << 5) | bit) >>> 0;
      if (run > length) this.add(run - length, start + length);
      return start;
    }
  }

  /** The largest length that a run may have; 0 when there is none. */
  get longest(): number {
    this.settle();
    const lengths = this.#bits[this.#lengthsAt];
    return lengths === 0 ? 0 : 31 - lowestBit(lengths);
  }

  /**
   * Gives back a run. False, and nothing done, when not all of it is in use. The sets hear of it later: here no branch
   * hangs on the bitmap, so that the next run can be given back while this one's word still comes from memory.
   */
  give(start: number, length: number): boolean {
    const words = this.#words;
    const at = start >>> 5;
    const bit = start & 31;
    const mask = (1 << length) - 1;
    const low = mask << bit;
    const high = (mask >>> 1) >>> (31 - bit);
    const word = words[at];
    const next = words[at + 1];
    if (((word & low) | (next & high)) !== 0) return false;
    words[at] = word | low;
    words[at + 1] = next | high;
    // Where its run will stand in the sets, most likely: comes at the same time as the words.
    this.#read[this.#givenCount] = this.#bits[((start >>> this.#shift) & -32) | length];
    this.#given[this.#givenCount] = start;
    if (++this.#givenCount === givenLimit) this.settle();
    return true;
  }

  /** Makes the free runs around all that was given back known. Call it before units are taken but by `take`. */
  settle(): void {
    const words = this.#words;
    const bits = this.#bits;
    const lengths = this.#settledLengths;
    const regions = this.#settledRegions;
    const count = this.#givenCount;
    this.#givenCount = 0;
    let settled = 0;
    let longFrom = 0;
    let longTo = 0;
    for (let i = 0; i < count; i++) {
      const start = this.#given[i];
      const at = start >>> 5;
      const bit = start & 31;
      const used = ~words[at];
      const usedBefore = at > 0 ? ~words[at - 1] : -1;
      // Free units up to the first one, and from it on: in its word, and when that ends free, in the next.
      let before = Math.clz32(used << (31 - bit));
      const goesBefore = (bit - before) >> 31;
      before = (before & ~goesBefore) | ((bit + 1 + Math.clz32(usedBefore)) & goesBefore);
      let behind = trailingZeros(used >>> bit);
      const goesBehind = (31 - bit - behind) >> 31;
      behind = (behind & ~goesBehind) | ((32 - bit + trailingZeros(~words[at + 1])) & goesBehind);
      const run = before + behind - 1;
      if (run >= shortLimit) {
        // What is given back piece by piece becomes one run, which is measured once.
        const unit = start >>> 0;
        if (unit >= longFrom && unit < longTo) continue;
        longTo = this.#onLong(unit);
        longFrom = unit;
        continue;
      }
      lengths[settled] = run;
      regions[settled++] = (start - before + 1) >>> this.#shift;
    }
    // The same for all: first what waits for memory, then what is seldom.
    let empty = 0;
    for (let i = 0; i < settled; i++) {
      const length = lengths[i];
      const region = regions[i];
      const at = (region & -32) | length;
      const regionsBefore = bits[at];
      bits[at] = regionsBefore | (first >>> (region & 31));
      lengths[empty] = length;
      regions[empty] = region;
      empty += ((regionsBefore | -regionsBefore) >>> 31) ^ 1;
    }
    for (let i = 0; i < empty; i++) this.#addWord(lengths[i], regions[i] >>> 5);
  }

  /** A word of regions has its first one. */
  #addWord(length: number, word: number): void {
    const bits = this.#bits;
    const group = word >>> 5;
    bits[this.#summaryAt + ((word & -32) | length)] |= first >>> (word & 31);
    bits[this.#topAt + ((group & -32) | length)] |= first >>> (group & 31);
    bits[this.#rootAt + length] |= first >>> (group >>> 5);
    bits[this.#lengthsAt] |= first >>> length;
    if (word < bits[this.#lowestAt + length]) bits[this.#lowestAt + length] = word;
  }

  /** A word of the summary, that of the lowest word of regions, has become 0. */
  #leaveGroup(length: number, group: number): void {
    const bits = this.#bits;
    const topAt = this.#topAt + ((group & -32) | length);
    bits[topAt] &= ~(first >>> (group & 31));
    if (bits[topAt] === 0) bits[this.#rootAt + length] &= ~(first >>> (group >>> 5));
    const root = bits[this.#rootAt + length];
    if (root === 0) {
      bits[this.#lengthsAt] &= ~(first >>> length);
      bits[this.#lowestAt + length] = nowhere;
      return;
    }
    const top = Math.clz32(root);
    const lowest = (top << 5) | Math.clz32(bits[this.#topAt + ((top << 5) | length)]);
    bits[this.#lowestAt + length] =
      (lowest << 5) | Math.clz32(bits[this.#summaryAt + ((lowest << 5) | length)]);
  }
}

/** The bit of the first of 32: counting leading zeros, which is one instruction, then finds the lowest. */
const first = 1 << 31;
const nowhere = 2 ** 31 - 1;
const maxRegions = 32 ** 4;

/** As many waits for memory as go on at a time; few enough for the 99th percentile of the time that one free takes. */
const givenLimit = 16;
