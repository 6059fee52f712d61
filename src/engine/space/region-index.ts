import { lowestBit } from './bit-runs.js';

/**
 * For each size class, the set of regions in which a free run of that class starts: a bitmap over regions with
 * two summary levels, so that the lowest such region is three find-first-set steps away.
 *
 * The index is a hint. Freeing leaves stale bits behind; whoever looks and finds nothing clears the bit. Bits are
 * never missing, so a cleared class really is empty.
 */
export class RegionIndex {
  readonly #classLimit: number;
  readonly #words: number;
  readonly #summaryWords: number;
  readonly #topWords: number;
  readonly #regions: Int32Array;
  readonly #summary: Int32Array;
  readonly #top: Int32Array;
  readonly #classes: Int32Array;

  constructor(regionCount: number, classLimit: number) {
    const words = (regionCount + 31) >>> 5;
    this.#classLimit = classLimit;
    this.#words = words;
    this.#summaryWords = (words + 31) >>> 5;
    this.#topWords = (this.#summaryWords + 31) >>> 5;
    this.#regions = new Int32Array(classLimit * words);
    this.#summary = new Int32Array(classLimit * this.#summaryWords);
    this.#top = new Int32Array(classLimit * this.#topWords);
    this.#classes = new Int32Array((classLimit + 31) >>> 5);
  }

  add(sizeClass: number, region: number): void {
    const at = (region >>> 5) * this.#classLimit + sizeClass;
    const before = this.#regions[at];
    this.#regions[at] = before | (1 << (region & 31));
    if (before !== 0) return;
    const word = region >>> 5;
    const summaryAt = sizeClass * this.#summaryWords + (word >>> 5);
    const summaryBefore = this.#summary[summaryAt];
    this.#summary[summaryAt] = summaryBefore | (1 << (word & 31));
    if (summaryBefore !== 0) return;
    const group = word >>> 5;
    this.#top[sizeClass * this.#topWords + (group >>> 5)] |= 1 << (group & 31);
    this.#classes[sizeClass >>> 5] |= 1 << (sizeClass & 31);
  }

  remove(sizeClass: number, region: number): void {
    const word = region >>> 5;
    const at = word * this.#classLimit + sizeClass;
    this.#regions[at] &= ~(1 << (region & 31));
    if (this.#regions[at] !== 0) return;
    const group = word >>> 5;
    const summaryAt = sizeClass * this.#summaryWords + group;
    this.#summary[summaryAt] &= ~(1 << (word & 31));
    if (this.#summary[summaryAt] !== 0) return;
    const topBase = sizeClass * this.#topWords;
    this.#top[topBase + (group >>> 5)] &= ~(1 << (group & 31));
    for (let i = 0; i < this.#topWords; i++) if (this.#top[topBase + i] !== 0) return;
    this.#classes[sizeClass >>> 5] &= ~(1 << (sizeClass & 31));
  }

  has(sizeClass: number, region: number): boolean {
    return ((this.#regions[(region >>> 5) * this.#classLimit + sizeClass] >>> (region & 31)) & 1) !== 0;
  }

  hasClass(sizeClass: number): boolean {
    return ((this.#classes[sizeClass >>> 5] >>> (sizeClass & 31)) & 1) !== 0;
  }

  /** The smallest class from `sizeClass` on that has a region; 0 when there is none. */
  classFrom(sizeClass: number): number {
    let at = sizeClass >>> 5;
    let word = this.#classes[at] & (-1 << (sizeClass & 31));
    while (word === 0) {
      if (++at >= this.#classes.length) return 0;
      word = this.#classes[at];
    }
    return (at << 5) + lowestBit(word);
  }

  /** The largest class that has a region; 0 when there is none. */
  largestClass(): number {
    for (let at = this.#classes.length - 1; at >= 0; at--)
      if (this.#classes[at] !== 0) return (at << 5) + 31 - Math.clz32(this.#classes[at]);
    return 0;
  }

  /** The lowest region of a class that has one. */
  lowestRegion(sizeClass: number): number {
    let at = 0;
    const topBase = sizeClass * this.#topWords;
    while (this.#top[topBase + at] === 0) at++;
    const group = (at << 5) + lowestBit(this.#top[topBase + at]);
    const word = (group << 5) + lowestBit(this.#summary[sizeClass * this.#summaryWords + group]);
    return (word << 5) + lowestBit(this.#regions[word * this.#classLimit + sizeClass]);
  }

  /** The lowest region of a class from `region` on; -1 when there is none. */
  regionFrom(sizeClass: number, region: number): number {
    const bit = region & 31;
    for (let word = region >>> 5, mask = -1 << bit; word < this.#words; word++, mask = -1) {
      const found = this.#regions[word * this.#classLimit + sizeClass] & mask;
      if (found !== 0) return (word << 5) + lowestBit(found);
    }
    return -1;
  }

  get byteLength(): number {
    return (
      this.#regions.byteLength + this.#summary.byteLength + this.#top.byteLength + this.#classes.byteLength
    );
  }
}
