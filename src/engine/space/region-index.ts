import { lowestBit } from './bit-runs.js';

/**
 * For each size class, the set of regions in which a free run of that class starts: a bitmap over regions with
 * three summary levels, so that the lowest such region is four find-first-set steps away, without a loop.
 *
 * The index is a hint. Freeing leaves stale bits behind; whoever looks and finds nothing clears the bit. Bits are
 * never missing, so a cleared class really is empty.
 *
 * Bit 31 of a word stands for the first of 32, so that counting leading zeros, which is one instruction, finds the
 * lowest. All levels stand in one array, since each array costs a hot function loads of its own (bench `space`):
 *
 *   regions   a word for 32 regions and a class, the classes of the same regions side by side
 *   summary   a bit for a word of regions; class by class
 *   top       a bit for a word of the summary; class by class
 *   root      a bit for a word of the top; a word for each class
 *   classes   a bit for a class
 */
export class RegionIndex {
  readonly #classLimit: number;
  readonly #words: number;
  readonly #summaryWords: number;
  readonly #topWords: number;
  readonly #summaryAt: number;
  readonly #topAt: number;
  readonly #rootAt: number;
  readonly #classesAt: number;
  readonly #bits: Int32Array;

  /** Of up to `maxRegions` regions. */
  constructor(regionCount: number, classLimit: number) {
    if (regionCount > maxRegions) throw new RangeError(`${regionCount} regions are more than ${maxRegions}`);
    const words = (regionCount + 31) >>> 5;
    this.#classLimit = classLimit;
    this.#words = words;
    this.#summaryWords = (words + 31) >>> 5;
    this.#topWords = (this.#summaryWords + 31) >>> 5;
    this.#summaryAt = classLimit * words;
    this.#topAt = this.#summaryAt + classLimit * this.#summaryWords;
    this.#rootAt = this.#topAt + classLimit * this.#topWords;
    this.#classesAt = this.#rootAt + classLimit;
    this.#bits = new Int32Array(this.#classesAt + ((classLimit + 31) >>> 5));
  }

  add(sizeClass: number, region: number): void {
    const bits = this.#bits;
    const word = region >>> 5;
    const at = word * this.#classLimit + sizeClass;
    const before = bits[at];
    bits[at] = before | (first >>> (region & 31));
    if (before === 0) this.#addWord(sizeClass, word);
  }

  #addWord(sizeClass: number, word: number): void {
    const bits = this.#bits;
    const group = word >>> 5;
    const top = group >>> 5;
    bits[this.#summaryAt + sizeClass * this.#summaryWords + group] |= first >>> (word & 31);
    bits[this.#topAt + sizeClass * this.#topWords + top] |= first >>> (group & 31);
    bits[this.#rootAt + sizeClass] |= first >>> top;
    bits[this.#classesAt + (sizeClass >>> 5)] |= first >>> (sizeClass & 31);
  }

  remove(sizeClass: number, region: number): void {
    const bits = this.#bits;
    const word = region >>> 5;
    const at = word * this.#classLimit + sizeClass;
    const rest = bits[at] & ~(first >>> (region & 31));
    bits[at] = rest;
    if (rest === 0) this.#removeWord(sizeClass, word);
  }

  #removeWord(sizeClass: number, word: number): void {
    const bits = this.#bits;
    const group = word >>> 5;
    const summaryAt = this.#summaryAt + sizeClass * this.#summaryWords + group;
    const groupRest = bits[summaryAt] & ~(first >>> (word & 31));
    bits[summaryAt] = groupRest;
    if (groupRest !== 0) return;
    const top = group >>> 5;
    const topAt = this.#topAt + sizeClass * this.#topWords + top;
    const topRest = bits[topAt] & ~(first >>> (group & 31));
    bits[topAt] = topRest;
    if (topRest !== 0) return;
    const rootRest = bits[this.#rootAt + sizeClass] & ~(first >>> top);
    bits[this.#rootAt + sizeClass] = rootRest;
    if (rootRest === 0) bits[this.#classesAt + (sizeClass >>> 5)] &= ~(first >>> (sizeClass & 31));
  }

  has(sizeClass: number, region: number): boolean {
    return ((this.#bits[(region >>> 5) * this.#classLimit + sizeClass] << (region & 31)) & first) !== 0;
  }

  /** False when no region has the class. */
  hasClass(sizeClass: number): boolean {
    return this.#bits[this.#rootAt + sizeClass] !== 0;
  }

  /** The smallest class from `sizeClass` on that has a region; 0 when there is none. */
  classFrom(sizeClass: number): number {
    const bits = this.#bits;
    let at = this.#classesAt + (sizeClass >>> 5);
    let word = bits[at] & (-1 >>> (sizeClass & 31));
    while (word === 0) {
      if (++at >= bits.length) return 0;
      word = bits[at];
    }
    return ((at - this.#classesAt) << 5) + Math.clz32(word);
  }

  /** The largest class that has a region; 0 when there is none. */
  largestClass(): number {
    for (let at = this.#bits.length - 1; at >= this.#classesAt; at--)
      if (this.#bits[at] !== 0) return ((at - this.#classesAt) << 5) + 31 - lowestBit(this.#bits[at]);
    return 0;
  }

  /** The lowest region of a class; -1 when it has none. */
  lowestRegion(sizeClass: number): number {
    const bits = this.#bits;
    const root = bits[this.#rootAt + sizeClass];
    if (root === 0) return -1;
    const top = Math.clz32(root);
    const group = (top << 5) | Math.clz32(bits[this.#topAt + sizeClass * this.#topWords + top]);
    const word = (group << 5) | Math.clz32(bits[this.#summaryAt + sizeClass * this.#summaryWords + group]);
    return (word << 5) | Math.clz32(bits[word * this.#classLimit + sizeClass]);
  }

  /** The lowest region of a class from `region` on; -1 when there is none. */
  regionFrom(sizeClass: number, region: number): number {
    const bit = region & 31;
    for (let word = region >>> 5, mask = -1 >>> bit; word < this.#words; word++, mask = -1) {
      const found = this.#bits[word * this.#classLimit + sizeClass] & mask;
      if (found !== 0) return (word << 5) + Math.clz32(found);
    }
    return -1;
  }

  get byteLength(): number {
    return this.#bits.byteLength;
  }
}

/** The words of the root have bits for no more. */
const maxRegions = 32 ** 4;

/** The bit of the first of 32. */
const first = 1 << 31;
