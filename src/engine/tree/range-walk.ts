import type { KeyRange } from './changes.js';
import type { RunReader } from './entry-view.js';
import { compareToKey, type TreeKey } from './tree-key.js';

/** The deleted ranges of a merge, which goes through them as it goes through the keys: in order, never back. */
export class RangeWalk {
  readonly #ranges: readonly KeyRange[];
  readonly #runs: RunReader;
  /** The first range that ends behind the place reached. */
  #at = 0;

  /** @param ranges in order, none touching another */
  constructor(ranges: readonly KeyRange[], runs: RunReader) {
    this.#ranges = ranges;
    this.#runs = runs;
  }

  get isEmpty(): boolean {
    return this.#ranges.length === 0;
  }

  /** True when all of them end before the place reached. */
  get isPast(): boolean {
    return this.#at >= this.#ranges.length;
  }

  /** The place reached is `low`: ranges that end there or before are done. */
  moveTo(low: TreeKey): void {
    while (!this.isPast && this.#compare(this.#ranges[this.#at].end, low) <= 0) this.#at++;
  }

  /** True when the range at hand, or the next, begins below `high`; undefined = no bound. */
  beginBelow(high: TreeKey | undefined): boolean {
    if (this.isPast) return false;
    return high === undefined || this.#compare(this.#ranges[this.#at].begin, high) < 0;
  }

  /** True when one range covers all between the bounds. */
  cover(low: TreeKey, high: TreeKey | undefined): boolean {
    if (this.isPast || high === undefined) return false;
    const { begin, end } = this.#ranges[this.#at];
    return this.#compare(begin, low) <= 0 && this.#compare(end, high) >= 0;
  }

  /** True when `key`, which is the place reached now, lies in a range. */
  contain(key: Uint8Array): boolean {
    while (!this.isPast && Buffer.compare(this.#ranges[this.#at].end, key) <= 0) this.#at++;
    return !this.isPast && Buffer.compare(this.#ranges[this.#at].begin, key) <= 0;
  }

  /** True when the first range covers all from `first` to `last`, both included. */
  firstSpans(first: Uint8Array, last: Uint8Array): boolean {
    const { begin, end } = this.#ranges[0];
    return Buffer.compare(begin, first) <= 0 && Buffer.compare(last, end) < 0;
  }

  #compare(bytes: Uint8Array, key: TreeKey): number {
    return compareToKey(this.#runs, bytes, 0, bytes.length, key);
  }
}
