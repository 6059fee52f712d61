import type { DataFile } from './data-file.js';
import { EntryView, readTail } from './entry-view.js';
import { countOf, pageBytes, pageHeaderBytes, prefixLengthOf, u32 } from './page.js';
import type { PageCache } from './page-cache.js';
import { PageSearch } from './page-search.js';
import type { TreeRoot } from './superblock.js';

/**
 * Walks one tree in either direction. It holds a copy of the leaf it stands in, so its key and value stay what they
 * are until it moves, whatever the cache does; leaves that it walks into are read past the cache, so that a long scan
 * does not drive out what others use. Hot: bench `engine-tree`.
 */
export class TreeCursor {
  /** The key where it stands: `keyLength` bytes at the start of these. */
  keyBytes: Buffer = Buffer.allocUnsafe(64);
  keyLength = 0;
  valid = false;
  readonly #root: TreeRoot;
  readonly #file: DataFile;
  readonly #cache: PageCache;
  readonly #search: PageSearch;
  readonly #entry = new EntryView();
  readonly #leaf = Buffer.allocUnsafe(pageBytes);
  /** The branch page of each level above the leaves, and the place in it. */
  readonly #units: number[];
  readonly #places: number[];
  #index = 0;
  #count = 0;
  #prefixLength = 0;

  constructor(root: TreeRoot, file: DataFile, cache: PageCache) {
    this.#root = root;
    this.#file = file;
    this.#cache = cache;
    this.#search = new PageSearch(file);
    this.#units = new Array<number>(root.level + 1).fill(0);
    this.#places = new Array<number>(root.level + 1).fill(0);
  }

  seekFirst(): void {
    this.#descendToEdge(this.#root.level, this.#root.unit, false);
  }

  seekLast(): void {
    this.#descendToEdge(this.#root.level, this.#root.unit, true);
  }

  /** To the first key that is not less. */
  seek(key: Uint8Array): void {
    this.#descend(key);
    if (this.#index < this.#count) this.#read();
    else if (this.#root.unit !== 0) this.#enterNextLeaf(false);
  }

  /** To the last key that is less, or, when `isInclusive`, not greater. */
  seekBefore(key: Uint8Array, isInclusive: boolean): void {
    this.#descend(key);
    if (this.#root.unit === 0) return;
    if (!(isInclusive && this.#search.isFound)) this.#index--;
    if (this.#index >= 0) this.#read();
    else this.#enterNextLeaf(true);
  }

  next(): void {
    if (++this.#index < this.#count) this.#read();
    else this.#enterNextLeaf(false);
  }

  previous(): void {
    if (--this.#index >= 0) this.#read();
    else this.#enterNextLeaf(true);
  }

  /** The value where it stands. Borrowed until the cursor moves. */
  value(): Buffer {
    const { isLarge, valueAt, valueLength } = this.#entry;
    if (!isLarge) return this.#leaf.subarray(valueAt, valueAt + valueLength);
    return this.#file.readRun(u32(this.#leaf, valueAt), valueLength, u32(this.#leaf, valueAt + 4));
  }

  /** Goes to the leaf where a key belongs, and to its place there. */
  #descend(key: Uint8Array): void {
    this.valid = false;
    this.#index = 0;
    this.#count = 0;
    let { unit } = this.#root;
    if (unit === 0) return;
    const cache = this.#cache;
    for (let level = this.#root.level; level > 0; level--) {
      cache.fetch(unit);
      const place = this.#search.childFor(cache.bytes, cache.base, key, 0, key.length);
      this.#units[level] = unit;
      this.#places[level] = place;
      unit = this.#search.childAt(cache.bytes, cache.base, place);
    }
    cache.fetch(unit);
    this.#takeLeaf(cache.bytes, cache.base);
    this.#index = this.#search.lowerBound(this.#leaf, 0, key, 0, key.length);
  }

  /** Goes from a page down to its first or last entry. */
  #descendToEdge(fromLevel: number, fromUnit: number, isLast: boolean): void {
    this.valid = false;
    let unit = fromUnit;
    if (unit === 0) return;
    const cache = this.#cache;
    for (let level = fromLevel; level > 0; level--) {
      cache.fetch(unit);
      const place = isLast ? countOf(cache.bytes, cache.base) - 1 : 0;
      this.#units[level] = unit;
      this.#places[level] = place;
      unit = this.#search.childAt(cache.bytes, cache.base, place);
    }
    if (cache.peek(unit)) cache.bytes.copy(this.#leaf, 0, cache.base, cache.base + pageBytes);
    else this.#file.readPage(unit, this.#leaf, 0);
    this.#takeLeaf(this.#leaf, 0);
    this.#index = isLast ? this.#count - 1 : 0;
    this.#read();
  }

  #enterNextLeaf(isReverse: boolean): void {
    this.valid = false;
    const cache = this.#cache;
    for (let level = 1; level <= this.#root.level; level++) {
      cache.fetch(this.#units[level]);
      const place = this.#places[level] + (isReverse ? -1 : 1);
      if (place < 0 || place >= countOf(cache.bytes, cache.base)) continue;
      this.#places[level] = place;
      this.#descendToEdge(level - 1, this.#search.childAt(cache.bytes, cache.base, place), isReverse);
      return;
    }
  }

  #takeLeaf(bytes: Buffer, base: number): void {
    if (bytes !== this.#leaf) bytes.copy(this.#leaf, 0, base, base + pageBytes);
    this.#count = countOf(this.#leaf, 0);
    this.#prefixLength = prefixLengthOf(this.#leaf, 0);
    if (this.#prefixLength > this.keyBytes.length) this.#growKey(this.#prefixLength);
    this.#leaf.copy(this.keyBytes, 0, pageHeaderBytes, pageHeaderBytes + this.#prefixLength);
  }

  /** Makes the key of the entry where it stands. */
  #read(): void {
    const entry = this.#entry;
    const leaf = this.#leaf;
    entry.readLeaf(leaf, 0, this.#index);
    const { suffixStart, suffixEnd } = entry;
    const length = this.#prefixLength + suffixEnd - suffixStart;
    if (length > this.keyBytes.length) this.#growKey(length);
    const key = this.keyBytes;
    let at = this.#prefixLength;
    for (let i = suffixStart; i < suffixEnd; i++) key[at++] = leaf[i];
    this.keyLength = length;
    this.valid = true;
    if (entry.tailAt < 0) return;
    const tail = readTail(this.#file, leaf, entry.tailAt);
    if (length + tail.length > this.keyBytes.length) this.#growKey(length + tail.length);
    this.keyBytes.set(tail, length);
    this.keyLength = length + tail.length;
  }

  #growKey(length: number): void {
    const grown = Buffer.allocUnsafe(Math.max(length, this.keyBytes.length * 2));
    this.keyBytes.copy(grown);
    this.keyBytes = grown;
  }
}
