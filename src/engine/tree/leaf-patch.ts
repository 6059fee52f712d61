import { type Changes, changesPerMark } from './changes.js';
import { largeReferenceOf, maxLargeReferenceBytes } from './large-value.js';
import { LeafParts } from './leaf-parts.js';
import type { LeafWindow } from './leaf-window.js';
import {
  countOf,
  entriesEndOf,
  entryAt,
  maxEntryBytes,
  maxInlineKeyBytes,
  pageBytes,
  pageHeaderBytes,
  prefixLengthOf,
  putBytes,
  putSlot,
  putVarint,
  varintLength,
} from './page.js';
import { replaceBytes } from './page-checksum.js';
import type { PageOutput } from './page-output.js';
import { PageSearch } from './page-search.js';

/** What patching a leaf came to. */
export type PatchResult = 'patched' | 'parted' | 'unchanged' | 'unfit';

/**
 * The common case of a merge: a leaf that takes a few changes and stays one page with the same prefix, or is parted
 * where they come from everywhere. What does not change is copied in stretches, not entry by entry.
 *
 * A leaf in which only values change, for others of the same length, is not even checked: the new page's checksum follows
 * from the old one, and damage stays for whoever reads the page. Until it is checked, what the leaf says is not believed:
 * whatever does not fit into the page, or needs more than that, has the leaf checked first.
 * Hot: bench `engine-store`.
 */
export class LeafPatch {
  /** Change of the number of entries, after `apply`. */
  entriesDelta = 0;
  largeDelta = 0;
  /** The pages, where it was parted. */
  readonly parts: LeafParts;
  readonly #leaf: LeafWindow;
  readonly #search: PageSearch;
  readonly #output: PageOutput;
  readonly #at = new Int32Array(maxPatches);
  readonly #isFound = new Uint8Array(maxPatches);
  /** Where in the page the values lie that are found. */
  readonly #valueAt = new Int32Array(maxPatches);
  /** True when each change puts a value in place of one of the same length. */
  #isSameShape = false;
  /** Bytes that the page would have to have, at most. */
  #size = 0;

  /** @param leaf where the leaves are to be found, unchecked */
  constructor(leaf: LeafWindow, output: PageOutput) {
    this.#leaf = leaf;
    this.#output = output;
    this.parts = new LeafParts(output);
    this.#search = new PageSearch({
      readRun: (unit, byteLength, checksum) => {
        leaf.check(); // keys with tails go past `#plan`, so a sound leaf never makes a comparison want one
        return output.readRun(unit, byteLength, checksum);
      },
    });
  }

  /**
   * Applies the changes for which `isBelow` holds, up to the first for which it does not, and makes the page in the
   * output, or the pages. When more is needed than that, the changes stand where they stood.
   */
  apply(changes: Changes, isBelow: () => boolean): PatchResult {
    const { bytes, base, isCached } = this.#leaf;
    const mark = changes.mark();
    const patches = this.#plan(bytes, base, changes, isBelow);
    if (patches > 0 && this.#isSameShape) {
      changes.reset(mark);
      this.#overwrite(bytes, base, changes, patches, isCached);
      return 'patched';
    }
    this.#leaf.check();
    if (patches === 0) return 'unchanged';
    changes.reset(mark);
    if (patches < 0) return 'unfit';
    if (this.#size <= pageBytes) {
      this.#write(bytes, base, changes, patches, isCached);
      return 'patched';
    }
    const count = countOf(bytes, base);
    if (this.#isInOrder(patches, count) || !this.parts.takes(this.#size, count + patches)) return 'unfit';
    this.parts.gather(bytes, base, changes, patches, this.#at, this.#isFound, this.#putEntry);
    this.parts.write(isCached);
    return 'parted';
  }

  /** Finds the place of each change: how many there are, 0 when none has an effect, -1 when the page is unfit. */
  #plan(bytes: Buffer, base: number, changes: Changes, isBelow: () => boolean): number {
    const prefixLength = prefixLengthOf(bytes, base);
    const oldCount = countOf(bytes, base);
    const entriesStart = base + pageHeaderBytes + prefixLength;
    const entriesEnd = base + entriesEndOf(bytes, base);
    let size = entriesEnd - base + 2 * oldCount;
    let patches = 0;
    let from = 0;
    let hasEffect = false;
    this.entriesDelta = 0;
    this.largeDelta = 0;
    this.#isSameShape = true;
    const { entry } = this.#search;
    for (; changes.valid && isBelow(); changes.next()) {
      const { keyBytes, keyStart, keyEnd } = changes;
      if (patches === maxPatches || keyEnd - keyStart > maxInlineKeyBytes) return -1;
      if (!hasPrefix(bytes, base + pageHeaderBytes, prefixLength, keyBytes, keyStart, keyEnd)) return -1;
      const at = this.#search.lowerBound(bytes, base, keyBytes, keyStart, keyEnd, from);
      const isFound = this.#search.isFound;
      if (isFound) {
        if (entry.isLarge || entry.tailAt >= 0) return -1;
        size -= entry.end - base - entryAt(bytes, base, at) + 2;
        this.entriesDelta--;
        hasEffect = true;
        this.#valueAt[patches] = entry.valueAt - base;
        if (entry.valueAt < entriesStart || entry.end > entriesEnd) this.#isSameShape = false;
        if (entry.valueLength !== changes.valueEnd - changes.valueStart) this.#isSameShape = false;
      } else this.#isSameShape = false;
      if (changes.isDeleted) this.#isSameShape = false;
      else {
        const suffixLength = keyEnd - keyStart - prefixLength;
        const valueLength = changes.valueEnd - changes.valueStart;
        const isLarge = isLargeValue(keyEnd - keyStart, valueLength);
        size += 2 + varintLength(suffixLength * 2) + varintLength(valueLength * 2 + 1) + suffixLength;
        size += isLarge ? maxLargeReferenceBytes : valueLength;
        this.entriesDelta++;
        if (isLarge) this.largeDelta++;
        hasEffect = true;
      }
      this.#at[patches] = at;
      this.#isFound[patches++] = isFound ? 1 : 0;
      from = isFound ? at + 1 : at;
    }
    if (!hasEffect) return 0;
    const isScant = size < pageBytes / 4 && this.entriesDelta < 0;
    this.#size = size;
    return isScant || oldCount + this.entriesDelta === 0 ? -1 : patches;
  }

  /** True when they all go to one end of a leaf of so many entries: more of them would fill up its pages in vain. */
  #isInOrder(patches: number, count: number): boolean {
    return patches >= leastInOrder && (this.#at[0] === count || this.#at[patches - 1] === 0);
  }

  #overwrite(bytes: Buffer, base: number, changes: Changes, patches: number, isWanted: boolean): void {
    const output = this.#output;
    output.begin();
    const { bytes: page, base: pageBase } = output;
    const pageEnd = pageBase + pageBytes;
    bytes.copy(page, pageBase, base, base + pageBytes);
    let change = 0;
    for (let i = 0; i < patches; i++, changes.next()) {
      const at = pageBase + this.#valueAt[i];
      const { valueBytes, valueStart, valueEnd } = changes;
      change ^= replaceBytes(page, at, pageEnd, valueBytes, valueStart, valueEnd);
    }
    output.sealCopy(change, isWanted);
  }

  #write(bytes: Buffer, base: number, changes: Changes, patches: number, isWanted: boolean): void {
    const output = this.#output;
    const prefixLength = prefixLengthOf(bytes, base);
    const oldCount = countOf(bytes, base);
    const oldEnd = entriesEndOf(bytes, base);
    output.begin();
    const { bytes: page, base: pageBase } = output;
    let at = pageBase + pageHeaderBytes;
    at += bytes.copy(page, at, base + pageHeaderBytes, base + pageHeaderBytes + prefixLength);
    let count = 0;
    let index = 0;
    const copyUpTo = (end: number): void => {
      if (end <= index) return;
      const from = entryAt(bytes, base, index);
      const to = end < oldCount ? entryAt(bytes, base, end) : oldEnd;
      const shift = at - pageBase - from;
      for (; index < end; index++) putSlot(page, pageBase, count++, entryAt(bytes, base, index) + shift);
      at += bytes.copy(page, at, base + from, base + to);
    };
    for (let i = 0; i < patches; i++, changes.next()) {
      copyUpTo(this.#at[i]);
      index += this.#isFound[i];
      if (changes.isDeleted) continue;
      putSlot(page, pageBase, count++, at - pageBase);
      at = this.#putEntry(page, at, changes, prefixLength);
    }
    copyUpTo(oldCount);
    output.seal(0, count, prefixLength, at - pageBase, isWanted);
  }

  readonly #putEntry = (page: Buffer, start: number, changes: Changes, prefixLength: number): number => {
    const { keyBytes, keyStart, keyEnd, valueBytes, valueStart, valueEnd } = changes;
    const valueLength = valueEnd - valueStart;
    const isLarge = isLargeValue(keyEnd - keyStart, valueLength);
    let at = putVarint(page, start, (keyEnd - keyStart - prefixLength) * 2);
    at = putVarint(page, at, valueLength * 2 + (isLarge ? 1 : 0));
    for (let i = keyStart + prefixLength; i < keyEnd; i++) page[at++] = keyBytes[i];
    if (isLarge) {
      const reference = largeReferenceOf(this.#output.writeValue(valueBytes, valueStart, valueEnd));
      page.set(reference, at);
      return at + reference.length;
    }
    return putBytes(page, at, valueBytes, valueStart, valueEnd);
  };
}

/** True when a value does not fit into an entry with its key. */
export const isLargeValue = (keyLength: number, valueLength: number): boolean =>
  Math.min(keyLength, maxInlineKeyBytes) + valueLength > maxEntryBytes - entryOverheadBytes;

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

const maxPatches = changesPerMark;
const leastInOrder = 4;
/** Both varints, a tail and the slot, at most. */
const entryOverheadBytes = 3 + 5 + 12 + 2;
