import { startsWithAt } from '../../bytes/index.js';
import { type ItemPlace, nowhere, type RecordTarget } from '../engine-api.js';
import type { DataFile } from './data-file.js';
import { childAt, EntryView, readTail } from './entry-view.js';
import { adjacentChildren, LeafReader } from './leaf-reader.js';
import { countOf, pageBytes, pageHeaderBytes, prefixLengthOf } from './page.js';
import type { PageCache } from './page-cache.js';
import type { TreeRoot } from './superblock.js';
import type { TreeDescent } from './tree-descent.js';

/**
 * Walks one tree in either direction, over copies of its leaves: keys and values that were handed out stay what they
 * are, whatever the cache and the cursor do. Hot: bench `engine-store`.
 */
export class TreeCursor {
  /** The key where it stands: these bytes from `keyStart` to `keyEnd`. */
  keyBytes: Buffer = noBytes;
  keyStart = 0;
  keyEnd = 0;
  valid = false;
  readonly isDeleted = false;
  readonly isStale = false;
  readonly #root: TreeRoot;
  readonly #file: DataFile;
  readonly #cache: PageCache;
  readonly #descent: TreeDescent;
  readonly #entry = new EntryView();
  readonly #leaves: LeafReader;
  readonly #place = nowhere();
  /** What is given away of the keys of a run. */
  #copiedKey: Buffer | undefined;
  #leaf: Buffer = noBytes;
  #base = 0;
  /** The branch page of each level above the leaves, and the place in it. */
  readonly #units: number[];
  readonly #places: number[];
  #index = 0;
  #count = 0;
  /** After a descent: whether the very key is there. */
  #isExact = false;
  #prefixLength = 0;

  constructor(root: TreeRoot, file: DataFile, cache: PageCache, descent: TreeDescent) {
    this.#root = root;
    this.#file = file;
    this.#cache = cache;
    this.#descent = descent;
    this.#leaves = new LeafReader(file, cache);
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
    if (!(isInclusive && this.#isExact)) this.#index--;
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

  key(): Buffer {
    return this.keyBytes.subarray(this.keyStart, this.keyEnd);
  }

  /** The value where it stands. */
  value(): Buffer {
    const { isLarge, valueAt, valueLength } = this.#entry;
    if (isLarge) return this.#file.readLarge(this.#leaf, valueAt, valueLength);
    this.#leaves.giveOut();
    return this.#leaf.subarray(valueAt, valueAt + valueLength);
  }

  /** Tells where key and value lie. Borrowed until the cursor moves. */
  locate(place: ItemPlace): void {
    const { isLarge, valueAt, valueLength } = this.#entry;
    place.keyBytes = this.keyBytes;
    place.keyStart = this.keyStart;
    place.keyEnd = this.keyEnd;
    place.valueBytes = isLarge ? this.#file.readLarge(this.#leaf, valueAt, valueLength) : this.#leaf;
    place.valueStart = isLarge ? 0 : valueAt;
    place.valueEnd = place.valueStart + valueLength;
  }

  /** As DataIterator says, of this tree alone. False when no more is wanted. */
  copyRun(prefix: Uint8Array, target: RecordTarget): boolean {
    while (this.valid && startsWithAt(this.keyBytes, this.keyStart, this.keyEnd, prefix, 0)) {
      const isWanted =
        this.#prefixLength <= prefix.length
          ? this.#copyInLeaf(prefix, target)
          : this.#copyLeaf(prefix.length, target);
      if (!isWanted) return false;
    }
    return true;
  }

  /** Copies what the leaf has from here on, without making keys: the end of the prefix stands in each entry. */
  #copyInLeaf(prefix: Uint8Array, target: RecordTarget): boolean {
    const entry = this.#entry;
    const leaf = this.#leaf;
    const known = this.#prefixLength;
    const rest = prefix.length - known;
    for (; this.#index < this.#count; this.#index++) {
      entry.readLeaf(leaf, this.#base, this.#index);
      const { suffixStart, suffixEnd, valueAt } = entry;
      const isPlain = !entry.isLarge && entry.tailAt < 0;
      if (!isPlain || !startsWithAt(leaf, suffixStart, suffixEnd, prefix, known)) {
        this.#read();
        if (isPlain || !startsWithAt(this.keyBytes, this.keyStart, this.keyEnd, prefix, 0)) return true;
        return this.#copyWhole(prefix.length, target);
      }
      if (!target.record(leaf, suffixStart + rest, suffixEnd, leaf, valueAt, valueAt + entry.valueLength)) {
        this.next();
        return false;
      }
    }
    this.#enterNextLeaf(false);
    return true;
  }

  /** As `#copyInLeaf` where the keys of the leaf have more in common than the prefix: that is put before each, in one place. */
  #copyLeaf(prefixLength: number, target: RecordTarget): boolean {
    const entry = this.#entry;
    const leaf = this.#leaf;
    this.#copiedKey ??= Buffer.allocUnsafe(pageBytes);
    const key = this.#copiedKey;
    const common = this.#prefixLength - prefixLength;
    const commonAt = this.#base + pageHeaderBytes + prefixLength;
    leaf.copy(key, 0, commonAt, commonAt + common);
    for (; this.#index < this.#count; this.#index++) {
      entry.readLeaf(leaf, this.#base, this.#index);
      if (entry.isLarge || entry.tailAt >= 0) {
        this.#read();
        return this.#copyWhole(prefixLength, target);
      }
      const { suffixStart, suffixEnd, valueAt } = entry;
      let end = common;
      for (let i = suffixStart; i < suffixEnd; i++) key[end++] = leaf[i];
      if (!target.record(key, 0, end, leaf, valueAt, valueAt + entry.valueLength)) {
        this.next();
        return false;
      }
    }
    this.#enterNextLeaf(false);
    return true;
  }

  /** Copies the entry where it stands, and goes to the next one. */
  #copyWhole(prefixLength: number, target: RecordTarget): boolean {
    const place = this.#place;
    this.locate(place);
    const { keyBytes, keyStart, keyEnd, valueBytes, valueStart, valueEnd } = place;
    const isWanted = target.record(
      keyBytes,
      keyStart + prefixLength,
      keyEnd,
      valueBytes,
      valueStart,
      valueEnd,
    );
    this.next(); // which may read another leaf into the memory that the value lies in
    return isWanted;
  }

  /** Goes to the leaf where a key belongs, and to its place there. */
  #descend(key: Uint8Array): void {
    this.valid = false;
    this.#index = 0;
    this.#count = 0;
    const { unit, level: rootLevel } = this.#root;
    if (unit === 0) return;
    const descent = this.#descent;
    descent.begin(this.#root, key);
    for (let level = rootLevel; level > 0; level--) {
      this.#units[level] = descent.unit;
      descent.toChild();
      this.#places[level] = descent.place;
    }
    this.#index = descent.findInLeaf();
    this.#isExact = descent.isFound;
    this.#leaves.copyFromCache();
    this.#enterLeaf();
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
      unit = childAt(cache.bytes, cache.base, place);
    }
    this.#leaves.take(unit, this.#leavesAhead(isLast), isLast);
    this.#enterLeaf();
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
      this.#descendToEdge(level - 1, childAt(cache.bytes, cache.base, place), isReverse);
      return;
    }
  }

  /** How many leaves, from the one where it goes on, are worth reading at once. */
  #leavesAhead(isReverse: boolean): number {
    const { mostAtOnce } = this.#leaves;
    if (this.#root.level === 0 || mostAtOnce === 1) return 1;
    this.#cache.fetch(this.#units[1]);
    return adjacentChildren(this.#cache.bytes, this.#cache.base, this.#places[1], mostAtOnce, isReverse);
  }

  #enterLeaf(): void {
    this.#leaf = this.#leaves.bytes;
    this.#base = this.#leaves.base;
    this.#count = countOf(this.#leaf, this.#base);
    this.#prefixLength = prefixLengthOf(this.#leaf, this.#base);
  }

  /** Makes the key of the entry where it stands. */
  #read(): void {
    const entry = this.#entry;
    const leaf = this.#leaf;
    entry.readLeaf(leaf, this.#base, this.#index);
    const { suffixStart, suffixEnd, tailAt } = entry;
    const tail = tailAt < 0 ? noBytes : readTail(this.#file, leaf, tailAt);
    const length = this.#prefixLength + suffixEnd - suffixStart + tail.length;
    if (this.keyEnd + length > this.keyBytes.length) {
      this.keyBytes = Buffer.allocUnsafe(Math.max(length, keySlabBytes));
      this.keyEnd = 0;
    }
    const key = this.keyBytes;
    let at = this.keyEnd;
    this.keyStart = at;
    this.keyEnd = at + length;
    const prefixAt = this.#base + pageHeaderBytes;
    for (let i = prefixAt; i < prefixAt + this.#prefixLength; i++) key[at++] = leaf[i];
    for (let i = suffixStart; i < suffixEnd; i++) key[at++] = leaf[i];
    if (tail.length > 0) key.set(tail, at);
    this.valid = true;
  }
}

/** Keys are put one behind the other: one allocation serves many. */
const keySlabBytes = 2048;
const noBytes = Buffer.alloc(0);
