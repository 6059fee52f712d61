import { compareBytes, prefixSuccessor, startsWithAt } from '../bytes/index.js';
import {
  type DataItem,
  type DataIterator,
  type DataRange,
  type ItemPlace,
  nowhere,
  type RecordTarget,
} from './engine-api.js';
import type { Layers } from './layers.js';
import { type DeletedRange, MemtableCursor } from './memtable/index.js';
import { PassedDeletions } from './passed-deletions.js';
import type { TreeCursor } from './tree/index.js';

type LayerCursor = MemtableCursor | TreeCursor;

/**
 * Walks one column family through all layers: at each key the newest layer that knows of it decides. Stays right when
 * the data or the layers change under it: its cursors are then sought anew, from the key where it stands.
 * Hot: bench `engine-store`.
 */
export class LayeredIterator implements DataIterator {
  readonly #current: () => Layers;
  readonly #range: DataRange;
  readonly #sequence: number;
  readonly #isReverse: boolean;
  #layers: Layers;
  /** One per layer, the newest first. */
  #cursors: LayerCursor[] = [];
  /** The last of them, when there is a tree. */
  #tree: TreeCursor | undefined;
  /** The first of them, when memtables are among them. */
  #newest: MemtableCursor | undefined;
  /** The cursor whose key the item has. */
  #winner: LayerCursor | undefined;
  /** The winner when nothing else can have a say until the data changes: a tree that no memtable adds to. */
  #alone: TreeCursor | undefined;
  /** Made when it is asked for. */
  #item: DataItem | undefined;
  readonly #place = nowhere();

  constructor(current: () => Layers, range: DataRange, sequence: number) {
    this.#current = current;
    this.#range = range;
    this.#sequence = sequence;
    this.#isReverse = range.isReverse === true;
    this.#layers = current();
    this.#openCursors();
    this.#settle(this.#toStart());
  }

  get valid(): boolean {
    return this.#winner !== undefined;
  }

  get item(): DataItem {
    if (this.#winner === undefined) throw new RangeError('the iterator is not valid');
    this.#item ??= { key: this.#winner.key(), value: this.#winner.value() };
    return this.#item;
  }

  locate(place: ItemPlace): void {
    if (this.#winner === undefined) throw new RangeError('the iterator is not valid');
    this.#winner.locate(place);
  }

  next(): void {
    if (this.#winner === undefined) return;
    if (this.#alone !== undefined && !this.#hasChanged()) {
      this.#item = undefined;
      this.#step(this.#alone);
      if (!this.#alone.valid || this.#isOutside(this.#alone)) this.#winner = undefined;
      return;
    }
    this.#follow(this.#winner);
    this.#stepPast(this.#winner);
    this.#settle();
  }

  copyRun(prefix: Uint8Array, target: RecordTarget): void {
    const place = this.#place;
    while (this.#winner !== undefined && beginsWith(this.#winner, prefix)) {
      if (this.#isAloneIn(prefix)) {
        const isWanted = this.#winner.copyRun(prefix, target);
        this.#settle();
        if (!isWanted) return;
        continue;
      }
      this.locate(place);
      const { keyBytes, keyStart, keyEnd, valueBytes, valueStart, valueEnd } = place;
      const isWanted = target.record(
        keyBytes,
        keyStart + prefix.length,
        keyEnd,
        valueBytes,
        valueStart,
        valueEnd,
      );
      this.next();
      if (!isWanted) return;
    }
  }

  seek(target: Uint8Array): void {
    const { begin, end } = this.#range;
    this.#follow(undefined);
    for (const cursor of this.#cursors) {
      if (this.#isReverse) {
        if (end !== undefined && compareBytes(target, end) >= 0) cursor.seekBefore(end, false);
        else cursor.seekBefore(target, true);
      } else {
        cursor.seek(begin !== undefined && compareBytes(target, begin) < 0 ? begin : target);
      }
    }
    this.#settle();
  }

  close(): void {
    this.#newest?.close();
    this.#newest = undefined;
    this.#item = undefined;
    this.#alone = undefined;
    this.#winner = undefined;
    this.#cursors = [];
  }

  *[Symbol.iterator](): Generator<DataItem> {
    try {
      for (; this.#winner !== undefined; this.next()) yield this.item;
    } finally {
      this.close();
    }
  }

  #openCursors(): void {
    const { groups, trees } = this.#layers;
    const { columnFamily } = this.#range;
    this.#cursors = [];
    this.#newest = undefined;
    for (const group of groups) {
      const table = group.tables[columnFamily];
      // The newest is written to: empty now, it may not stay so.
      if (group !== groups[0] && table.isEmpty) continue;
      const cursor = new MemtableCursor(table, this.#sequence);
      this.#newest ??= cursor;
      this.#cursors.push(cursor);
    }
    const root = this.#layers.rootOf(columnFamily);
    this.#tree = trees === undefined || root.unit === 0 ? undefined : trees.cursor(root);
    if (this.#tree !== undefined) this.#cursors.push(this.#tree);
  }

  /** Cursors of older layers begin behind what the newest has deleted where the range begins. */
  #toStart(): PassedDeletions | undefined {
    const start = this.#isReverse ? this.#range.end : this.#range.begin;
    const deleted = start === undefined ? undefined : this.#deletedFrom(start);
    for (const cursor of this.#cursors) {
      const isLeft = deleted !== undefined && cursor !== this.#newest;
      if (this.#isReverse) {
        if (start === undefined) cursor.seekLast();
        else cursor.seekBefore(isLeft ? deleted.begin : start, false);
      } else if (start === undefined) cursor.seekFirst();
      else cursor.seek(isLeft ? deleted.end : start);
    }
    return deleted === undefined ? undefined : new PassedDeletions(this.#isReverse, start);
  }

  /** The range that the newest layer has deleted around a bound, in the direction of the walk. */
  #deletedFrom(bound: Uint8Array): DeletedRange | undefined {
    const { deletedRanges } = this.#layers.groups[0]?.tables[this.#range.columnFamily] ?? {};
    return this.#isReverse
      ? deletedRanges?.below(bound, this.#sequence)
      : deletedRanges?.at(bound, 0, bound.length, this.#sequence);
  }

  /** Takes up what has changed; the cursors then stand at the winner's key again, or next to where it was. */
  #follow(winner: LayerCursor | undefined): void {
    if (!this.#hasChanged()) return;
    const layers = this.#current();
    const isOutdated = layers !== this.#layers;
    // The winner's own copy: seeking it changes the bytes.
    const key =
      winner === undefined
        ? undefined
        : Buffer.from(winner.keyBytes.subarray(winner.keyStart, winner.keyEnd));
    const wasStale = isOutdated ? undefined : this.#cursors.map((cursor) => cursor.isStale);
    this.#layers = layers;
    if (isOutdated) this.#openCursors();
    if (key === undefined) return;
    for (const [i, cursor] of this.#cursors.entries()) {
      if (wasStale !== undefined && !wasStale[i]) continue;
      if (this.#isReverse) cursor.seekBefore(key, true);
      else cursor.seek(key);
    }
    this.#stepKey = key;
  }

  /** The key to step past when the winner may have moved. */
  #stepKey: Buffer | undefined;

  /** Moves every cursor that stands at the winner's key on. */
  #stepPast(winner: LayerCursor): void {
    const moved = this.#stepKey;
    this.#stepKey = undefined;
    if (moved === undefined && this.#cursors.length === 1) {
      if (this.#isReverse) winner.previous();
      else winner.next();
      return;
    }
    const bytes = moved ?? winner.keyBytes;
    const start = moved === undefined ? winner.keyStart : 0;
    const end = moved?.length ?? winner.keyEnd;
    for (const cursor of this.#cursors) {
      if (cursor === winner && moved === undefined) continue;
      if (cursor.valid && compareKeys(cursor, bytes, start, end) === 0) this.#step(cursor);
    }
    if (moved === undefined) this.#step(winner);
  }

  #step(cursor: LayerCursor): void {
    if (this.#isReverse) cursor.previous();
    else cursor.next();
  }

  /** Makes the next key that the reader sees, from where the cursors stand, the item. */
  #settle(passed?: PassedDeletions): void {
    this.#item = undefined;
    this.#winner = undefined;
    this.#alone = undefined;
    for (;;) {
      const at = this.#nearest();
      if (at < 0) break;
      const cursor = this.#cursors[at];
      if (this.#isOutside(cursor)) break;
      const range = at > 0 ? this.#deletedRangeAt(at) : undefined;
      if (range !== undefined) {
        passed ??= new PassedDeletions(this.#isReverse);
        passed.noteRange(cursor);
        if (this.#isReverse) cursor.seekBefore(range.begin, false);
        else cursor.seek(range.end);
      } else if (!cursor.isDeleted) {
        this.#winner = cursor;
        if (cursor === this.#tree && this.#isTreeAlone()) this.#alone = this.#tree;
        break;
      } else if (cursor === this.#newest && this.#isOnlyOne(cursor)) {
        this.#newest.noteIdle();
        this.#step(cursor);
      } else {
        passed ??= new PassedDeletions(this.#isReverse);
        passed.note(cursor, cursor === this.#newest ? this.#newest.node : undefined);
        this.#stepPast(cursor);
      }
    }
    if (passed?.isWorthJoining && this.#newest !== undefined)
      passed.join(this.#newest, this.#range, this.#winner);
  }

  /** True when no other layer has the key where the cursor stands. */
  #isOnlyOne(cursor: LayerCursor): boolean {
    const { keyBytes, keyStart, keyEnd } = cursor;
    for (const other of this.#cursors)
      if (other !== cursor && other.valid && compareKeys(other, keyBytes, keyStart, keyEnd) === 0)
        return false;
    return true;
  }

  #isOutside({ keyBytes, keyStart, keyEnd }: LayerCursor): boolean {
    const { begin, end } = this.#range;
    return this.#isReverse
      ? begin !== undefined && compareWith(begin, keyBytes, keyStart, keyEnd) > 0
      : end !== undefined && compareWith(end, keyBytes, keyStart, keyEnd) <= 0;
  }

  /** True when no memtable has a key or a deletion where the tree's cursor has still to come. */
  #isTreeAlone(): boolean {
    for (const cursor of this.#cursors) if (cursor !== this.#tree && cursor.valid) return false;
    if (this.#hasNoRanges()) return true;
    const { begin, end } = this.#range;
    const key = this.#tree?.key();
    return this.#isReverse ? this.#hasNoRanges(begin, key) : this.#hasNoRanges(key, end);
  }

  /** True when no other layer has a key or a deletion among the keys that begin so: then none of them need be compared. */
  #isAloneIn(prefix: Uint8Array): boolean {
    const { end } = this.#range;
    const isCut = end !== undefined && startsWithAt(end, 0, end.length, prefix, 0);
    if (this.#isReverse || isCut || this.#hasChanged()) return false;
    for (const cursor of this.#cursors)
      if (cursor !== this.#winner && cursor.valid && beginsWith(cursor, prefix)) return false;
    return this.#hasNoRanges() || this.#hasNoRanges(prefix, prefixSuccessor(prefix));
  }

  /** True when no layer has deleted a range that touches this one. */
  #hasNoRanges(begin?: Uint8Array, end?: Uint8Array): boolean {
    const { columnFamily } = this.#range;
    for (const { tables } of this.#layers.groups)
      if (tables[columnFamily].deletedRanges.touches(begin, end)) return false;
    return true;
  }

  /** True when the data or the layers are not what the cursors were sought in. */
  #hasChanged(): boolean {
    if (this.#current() !== this.#layers) return true;
    for (const cursor of this.#cursors) if (cursor.isStale) return true;
    return false;
  }

  /** The cursor with the next key, the newest of those that have the same; -1 when none is valid. */
  #nearest(): number {
    const cursors = this.#cursors;
    let best = -1;
    for (let i = 0; i < cursors.length; i++) {
      const cursor = cursors[i];
      if (!cursor.valid) continue;
      if (best >= 0) {
        const { keyBytes, keyStart, keyEnd } = cursors[best];
        const order = compareKeys(cursor, keyBytes, keyStart, keyEnd);
        if (this.#isReverse ? order <= 0 : order >= 0) continue;
      }
      best = i;
    }
    return best;
  }

  /** The range in which a cursor stands and that a newer layer has deleted. */
  #deletedRangeAt(at: number): DeletedRange | undefined {
    const cursor = this.#cursors[at];
    let newer = 0;
    for (const group of this.#layers.groups) {
      const table = group.tables[this.#range.columnFamily];
      // Layers without a cursor are empty and delete nothing.
      if (group !== this.#layers.groups[0] && table.isEmpty) continue;
      if (newer++ === at) return undefined;
      const range = table.deletedRanges.at(cursor.keyBytes, cursor.keyStart, cursor.keyEnd, this.#sequence);
      if (range !== undefined) return range;
    }
    return undefined;
  }
}

const beginsWith = ({ keyBytes, keyStart, keyEnd }: LayerCursor, prefix: Uint8Array): boolean =>
  startsWithAt(keyBytes, keyStart, keyEnd, prefix, 0);

/** Orders a cursor's key against other bytes. */
const compareKeys = (cursor: LayerCursor, bytes: Uint8Array, start: number, end: number): number => {
  const { keyBytes, keyStart, keyEnd } = cursor;
  const shared = Math.min(keyEnd - keyStart, end - start);
  for (let i = 0; i < shared; i++) {
    const difference = keyBytes[keyStart + i] - bytes[start + i];
    if (difference !== 0) return difference;
  }
  return keyEnd - keyStart - (end - start);
};

const compareWith = (a: Uint8Array, bytes: Uint8Array, start: number, end: number): number => {
  const shared = Math.min(a.length, end - start);
  for (let i = 0; i < shared; i++) {
    const difference = a[i] - bytes[start + i];
    if (difference !== 0) return difference;
  }
  return a.length - (end - start);
};
