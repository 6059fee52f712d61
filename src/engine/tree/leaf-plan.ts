import { type Changes, changesPerMark } from './changes.js';
import { isLargeValue, maxLargeReferenceBytes } from './large-value.js';
import type { LeafWindow } from './leaf-window.js';
import {
  countOf,
  entriesEndOf,
  entryAt,
  maxInlineKeyBytes,
  pageBytes,
  pageHeaderBytes,
  prefixLengthOf,
  varintLength,
} from './page.js';
import type { PageOutput } from './page-output.js';
import { PageSearch } from './page-search.js';

/** `unfit`: the leaf cannot be patched, its entries have to go through the builders. */
export type PlanResult = 'planned' | 'unchanged' | 'unfit';

/**
 * Where the changes for one leaf go among its entries, and how large that makes it. The leaf may be unchecked: its
 * lengths and places are not trusted. Hot: bench `engine-store`, in one loop over local sums.
 */
export class LeafPlan {
  /** How many changes there are. */
  count = 0;
  /** For each change: the index of the entry that it goes before or, where `isFound` is 1, replaces. */
  readonly indexes = new Int32Array(maxChanges);
  readonly isFound = new Uint8Array(maxChanges);
  /** For each change that is found: where in the page the old value lies. */
  readonly valueOffsets = new Int32Array(maxChanges);
  /** True when each change replaces a value by one of the same length. */
  isOverwrite = false;
  /** Bytes that the page would need, at most. */
  byteLength = 0;
  /** How many entries the leaf gains. */
  entriesDelta = 0;
  /** How many large values it gains. */
  largeDelta = 0;
  readonly #leaf: LeafWindow;
  readonly #search: PageSearch;

  /** @param leaf the leaf to plan for, whenever `make` is called */
  constructor(leaf: LeafWindow, output: PageOutput) {
    this.#leaf = leaf;
    this.#search = new PageSearch({
      readRun: (unit, byteLength, checksum) => {
        leaf.check(); // a sound leaf with such a key is unfit, so only a damaged one gets here
        return output.readRun(unit, byteLength, checksum);
      },
    });
  }

  /** Plans the changes up to the first for which `isBelow` does not hold, and moves past those that it plans. */
  make(changes: Changes, isBelow: () => boolean): PlanResult {
    const { bytes, base } = this.#leaf;
    const { entry } = this.#search;
    const prefixLength = prefixLengthOf(bytes, base);
    const entriesStart = base + pageHeaderBytes + prefixLength;
    const entriesEnd = base + entriesEndOf(bytes, base);
    const oldCount = countOf(bytes, base);
    let count = 0;
    let from = 0;
    let byteLength = entriesEnd - base + 2 * oldCount;
    let newCount = oldCount;
    let largeDelta = 0;
    let hasEffect = false;
    let isOverwrite = true;
    for (; changes.valid && isBelow(); changes.next()) {
      const { keyBytes, keyStart, keyEnd, isDeleted } = changes;
      if (count === maxChanges || keyEnd - keyStart > maxInlineKeyBytes) return 'unfit';
      if (!hasPrefix(bytes, base + pageHeaderBytes, prefixLength, keyBytes, keyStart, keyEnd)) return 'unfit';
      const index = this.#search.lowerBound(bytes, base, keyBytes, keyStart, keyEnd, from);
      const { isFound } = this.#search;
      const valueLength = changes.valueEnd - changes.valueStart;
      if (isFound) {
        if (entry.isLarge || entry.tailAt >= 0) return 'unfit'; // its runs must be released
        const isWithinEntries = entry.valueAt >= entriesStart && entry.end <= entriesEnd;
        if (!isWithinEntries || entry.valueLength !== valueLength) isOverwrite = false;
        byteLength -= entry.end - base - entryAt(bytes, base, index) + 2;
        newCount--;
        this.valueOffsets[count] = entry.valueAt - base;
      }
      if (!isDeleted) {
        const isLarge = isLargeValue(keyEnd - keyStart, valueLength);
        byteLength += newEntryBytes(keyEnd - keyStart - prefixLength, valueLength, isLarge);
        newCount++;
        if (isLarge) largeDelta++;
      }
      if (isDeleted || !isFound) isOverwrite = false;
      if (isFound || !isDeleted) hasEffect = true;
      this.indexes[count] = index;
      this.isFound[count++] = isFound ? 1 : 0;
      from = isFound ? index + 1 : index;
    }
    this.count = count;
    this.byteLength = byteLength;
    this.entriesDelta = newCount - oldCount;
    this.largeDelta = largeDelta;
    this.isOverwrite = isOverwrite;
    if (!hasEffect) return 'unchanged';
    const isUnderfull = byteLength < pageBytes / 4 && newCount < oldCount;
    return isUnderfull || newCount === 0 ? 'unfit' : 'planned';
  }

  /** True when all changes go to one end of a leaf with `count` entries: a split would leave pages half empty. */
  isAtOneEnd(count: number): boolean {
    return this.count >= leastAtOneEnd && (this.indexes[0] === count || this.indexes[this.count - 1] === 0);
  }
}

/** Bytes that a new entry takes at most, its slot included. */
const newEntryBytes = (suffixLength: number, valueLength: number, isLarge: boolean): number => {
  const payloadLength = isLarge ? maxLargeReferenceBytes : valueLength;
  return (
    2 + varintLength(suffixLength * 2) + varintLength(valueLength * 2 + 1) + suffixLength + payloadLength
  );
};

const hasPrefix = (
  bytes: Buffer,
  at: number,
  length: number,
  key: Uint8Array,
  start: number,
  end: number,
): boolean => {
  if (end - start < length) return false;
  for (let i = 0; i < length; i++) if (bytes[at + i] !== key[start + i]) return false;
  return true;
};

const maxChanges = changesPerMark;
const leastAtOneEnd = 4;
