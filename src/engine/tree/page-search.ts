import { EntryView, type RunReader, readTail } from './entry-view.js';
import {
  countOf,
  entryAt,
  levelOf,
  pageHeaderBytes,
  prefixLengthOf,
  varintAt,
  varintLength,
} from './page.js';

/**
 * Finds keys in pages. The results lie in fields, so that a lookup allocates nothing. Hot: bench `engine-store`.
 */
export class PageSearch {
  /** After `lowerBound`, if `isFound`: the entry. */
  readonly entry = new EntryView();
  /** After `lowerBound`: whether there is an entry with exactly this key. */
  isFound = false;
  readonly #runs: RunReader;

  constructor(runs: RunReader) {
    this.#runs = runs;
  }

  /** First entry of a leaf whose key is not less than the given one; the count of entries when all are less. */
  lowerBound(bytes: Uint8Array, base: number, key: Uint8Array, start: number, end: number, from = 0): number {
    const count = countOf(bytes, base);
    const order = comparePrefix(bytes, base, key, start, end);
    this.isFound = false;
    if (order !== 0) return order < 0 ? 0 : count;
    return this.lowerBoundWithin(bytes, base, key, start + prefixLengthOf(bytes, base), end, from, count);
  }

  /** As `lowerBound`, when the key has the prefix, entries before `low` are known to be less, and those from `high` on not less. */
  lowerBoundWithin(
    bytes: Uint8Array,
    base: number,
    key: Uint8Array,
    rest: number,
    end: number,
    low: number,
    high: number,
  ): number {
    this.isFound = false;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const difference = this.#compare(bytes, base + entryAt(bytes, base, middle), true, key, rest, end);
      if (difference === 0) {
        this.isFound = true;
        this.entry.readLeaf(bytes, base, middle);
        return middle;
      }
      if (difference > 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** The child of a branch page that a key belongs to: the last one whose separator is not greater, or the first. */
  childFor(bytes: Uint8Array, base: number, key: Uint8Array, start: number, end: number): number {
    const count = countOf(bytes, base);
    const order = comparePrefix(bytes, base, key, start, end);
    if (order !== 0) return order < 0 ? 0 : count - 1;
    return this.childWithin(bytes, base, key, start + prefixLengthOf(bytes, base), end, 0, count);
  }

  /** As `childFor`, when the key has the prefix, separators before `low` are known to be not greater, and those from `high` on greater. */
  childWithin(
    bytes: Uint8Array,
    base: number,
    key: Uint8Array,
    rest: number,
    end: number,
    low: number,
    high: number,
  ): number {
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#compare(bytes, base + entryAt(bytes, base, middle), false, key, rest, end) >= 0)
        low = middle + 1;
      else high = middle;
    }
    return Math.max(0, low - 1);
  }

  /** Orders a key against the one at a place of a page: of an entry of a leaf, or a separator of a branch. */
  compareTo(
    bytes: Uint8Array,
    base: number,
    place: number,
    key: Uint8Array,
    start: number,
    end: number,
  ): number {
    const order = comparePrefix(bytes, base, key, start, end);
    if (order !== 0) return order;
    const rest = start + prefixLengthOf(bytes, base);
    const isLeaf = levelOf(bytes, base) === 0;
    return this.#compare(bytes, base + entryAt(bytes, base, place), isLeaf, key, rest, end);
  }

  /** Orders the key, from `at` on, against the suffix and tail of the entry at a place. */
  #compare(
    bytes: Uint8Array,
    entry: number,
    isLeaf: boolean,
    key: Uint8Array,
    at: number,
    end: number,
  ): number {
    const field = varintAt(bytes, entry);
    let i = entry + (field < 0x80 ? 1 : varintLength(field));
    // Skip the length of the value.
    if (isLeaf) while (bytes[i++] >= 0x80);
    const suffixEnd = i + (field >>> 1);
    for (; i < suffixEnd && at < end; i++, at++) {
      const difference = key[at] - bytes[i];
      if (difference !== 0) return difference;
    }
    if (i < suffixEnd) return -1;
    if ((field & 1) === 0) return end - at;
    if (at === end) return -1;
    return Buffer.compare(key.subarray(at, end), readTail(this.#runs, bytes, suffixEnd));
  }
}

/** < 0 or > 0 when the key lies before or behind all that begin with the page's prefix; 0 when it begins with it. */
const comparePrefix = (
  bytes: Uint8Array,
  base: number,
  key: Uint8Array,
  start: number,
  end: number,
): number => {
  const length = prefixLengthOf(bytes, base);
  const at = base + pageHeaderBytes;
  for (let i = 0; i < length; i++) {
    if (start + i >= end) return -1;
    const difference = key[start + i] - bytes[at + i];
    if (difference !== 0) return difference;
  }
  return 0;
};
