import type { BranchIndexes } from './branch-indexes.js';
import { childAt, type EntryView, type RunReader } from './entry-view.js';
import { headOf } from './key-head.js';
import { LeafHeads } from './leaf-heads.js';
import { maxInlineKeyBytes, pageHeaderBytes, prefixLengthOf } from './page.js';
import { headsAt, type PageCache } from './page-cache.js';
import { PageSearch } from './page-search.js';
import type { TreeRoot } from './superblock.js';

/**
 * Goes down a tree through the page cache, with the help of what the cache keeps to search its pages by. The results
 * lie in fields, so that a lookup allocates nothing. Hot: bench `engine-store`.
 */
export class TreeDescent {
  /** Where it stands: the unit of the page, after `toChild` also which child of its branch page it is. */
  unit = 0;
  place = 0;
  /** The frame of the page cache that the page is in. */
  frame = 0;
  /** After `findInLeaf`: whether the leaf was searched before, since it is in the cache. */
  isHot = false;
  readonly #cache: PageCache;
  readonly #search: PageSearch;
  readonly #heads = new LeafHeads();
  #key: Uint8Array = noBytes;
  /** Bytes that the key is known to share with all keys that may be in the page. */
  #shared = 0;

  constructor(cache: PageCache, runs: RunReader) {
    this.#cache = cache;
    this.#search = new PageSearch(runs);
  }

  /** After `findInLeaf`: whether the key is there. */
  get isFound(): boolean {
    return this.#search.isFound;
  }

  /** After `findInLeaf`, when the key is there: its entry. */
  get entry(): EntryView {
    return this.#search.entry;
  }

  /** To the root page of a tree that is not empty, on the way to a key. */
  begin(root: TreeRoot, key: Uint8Array): void {
    this.#key = key;
    this.#shared = 0;
    this.unit = root.unit;
    this.frame = this.#cache.fetch(root.unit);
  }

  /** From a branch page to the child that the key belongs to. The cache points at the child then. */
  toChild(): void {
    const cache = this.#cache;
    if (!cache.useBranch(this.frame)) {
      const { bytes, base } = cache;
      this.place = this.#search.childFor(bytes, base, this.#key, 0, this.#key.length);
      this.unit = childAt(bytes, base, this.place);
      this.frame = cache.fetch(this.unit);
      return;
    }
    const { branches } = cache;
    const place = this.#placeIn(branches);
    const guess = branches.frameAt(place);
    this.place = place;
    this.unit = branches.unitAt(place);
    this.frame = cache.fetch(this.unit, guess);
    if (this.frame !== guess) branches.noteFrame(place, this.frame);
  }

  /** First entry of the leaf whose key is not less; the count of entries when all are less. */
  findInLeaf(): number {
    const cache = this.#cache;
    const { bytes, base } = cache;
    const key = this.#key;
    const words = cache.headsIn(this.frame);
    this.isHot = words !== undefined;
    if (words === undefined) return this.#search.lowerBound(bytes, base, key, 0, key.length);
    const at = headsAt(this.frame);
    const prefixLength = words[at] & 0xffff;
    const order = compareToPrefix(key, this.#shared, bytes, base + pageHeaderBytes, prefixLength);
    if (order !== 0) return this.#search.lowerBound(bytes, base, key, 0, key.length);
    const heads = this.#heads;
    heads.search(words, at, headOf(key, prefixLength, Math.min(key.length, maxInlineKeyBytes)));
    return this.#search.lowerBoundWithin(bytes, base, key, prefixLength, key.length, heads.low, heads.high);
  }

  #placeIn(branches: BranchIndexes): number {
    const key = this.#key;
    const { count, prefixLength } = branches;
    const order = compareToPrefix(key, this.#shared, branches.bytes, branches.prefixAt, prefixLength);
    if (order !== 0) return order < 0 ? 0 : count - 1;
    branches.search(headOf(key, prefixLength, Math.min(key.length, maxInlineKeyBytes)));
    const { from, to } = branches;
    let place = from - 1;
    if (from < to) {
      const { bytes, base } = this.#cache;
      place = this.#search.childWithin(bytes, base, key, prefixLengthOf(bytes, base), key.length, from, to);
    }
    // What lies between two separators that have the prefix has it, too.
    if (place > 0 && place < count - 1) this.#shared = prefixLength;
    return place;
  }
}

/** Orders a key against a prefix, `known` bytes of which it is known to have: 0 when it has it all. */
const compareToPrefix = (
  key: Uint8Array,
  known: number,
  bytes: Uint8Array,
  at: number,
  length: number,
): number => {
  for (let i = known; i < length; i++) {
    if (i >= key.length) return -1;
    const difference = key[i] - bytes[at + i];
    if (difference !== 0) return difference;
  }
  return 0;
};

const noBytes = new Uint8Array(0);
