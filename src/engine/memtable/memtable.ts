import { compareBytes } from '../../bytes/index.js';
import type { DataItem, DataIterator, DataRange } from '../engine-api.js';
import { Arena, offsetOf } from './arena.js';
import { OrderedIndex, type OrderedPlace } from './ordered-index.js';

/** An older value of a key that an open snapshot may still read. */
interface Version {
  readonly sequence: number;
  readonly isDeleted: boolean;
  readonly address: number;
  readonly length: number;
}

/**
 * The newest data of one column family, in memory: keys in order, several versions of a key while snapshots need
 * them. Keys and values lie in an arena, the index in typed arrays: nothing per key is on the JavaScript heap.
 *
 * A hash table answers point reads; an ordered index answers ranges. Without an open snapshot an overwrite replaces
 * the value in place and a delete removes the key; with one, the older version is kept until no snapshot sees it.
 *
 * Synchronous and single-threaded. Hot: bench `engine-write`.
 */
export class Memtable {
  readonly #arena = new Arena();
  readonly #order = new OrderedIndex();
  /** Node id + 1 by hash slot; 0 = empty. Linear probing; deletions shift followers back. */
  #slots = new Uint32Array(1024);
  #hash = new Uint32Array(512);
  #keyAddress = new Uint32Array(512);
  #keyLength = new Uint32Array(512);
  #valueAddress = new Uint32Array(512);
  #valueLength = new Uint32Array(512);
  #sequence = new Float64Array(512);
  #isDeleted = new Uint8Array(512);
  #nodes = 0;
  #count = 0;
  readonly #spareNodes: number[] = [];
  /** Older versions, newest first, of the nodes that have any. */
  readonly #history = new Map<number, Version[]>();
  /** Nodes whose newest version is a delete that some snapshot does not see. */
  readonly #tombstones = new Set<number>();
  /** Sequence numbers of the open snapshots, each with how many share it. */
  readonly #snapshots: ReadonlyMap<number, number>;

  constructor(snapshots: ReadonlyMap<number, number>) {
    this.#snapshots = snapshots;
  }

  /** Keys, those that only snapshots still see included. */
  get count(): number {
    return this.#count;
  }

  /** Memory in bytes: what is reserved, not only what is used. */
  get byteLength(): number {
    return (
      this.#arena.reservedBytes +
      this.#order.byteLength +
      this.#slots.byteLength +
      this.#hash.length * bytesPerNode
    );
  }

  put(
    bytes: Uint8Array,
    keyStart: number,
    keyEnd: number,
    valueStart: number,
    valueEnd: number,
    sequence: number,
  ): void {
    const hash = hashBytes(bytes, keyStart, keyEnd);
    let node = this.#find(hash, bytes, keyStart, keyEnd);
    const length = valueEnd - valueStart;
    if (node < 0) {
      node = this.#addNode(hash, bytes, keyStart, keyEnd);
    } else {
      this.#supersede(node);
      if (this.#valueAddress[node] !== noAddress && this.#arena.fits(this.#valueLength[node], length)) {
        this.#valueLength[node] = length;
        this.#sequence[node] = sequence;
        this.#isDeleted[node] = 0;
        this.#arena.write(this.#valueAddress[node], bytes, valueStart, valueEnd);
        return;
      }
      this.#releaseValue(node);
    }
    const address = this.#arena.allocate(length);
    this.#arena.write(address, bytes, valueStart, valueEnd);
    this.#valueAddress[node] = address;
    this.#valueLength[node] = length;
    this.#sequence[node] = sequence;
    this.#isDeleted[node] = 0;
  }

  delete(bytes: Uint8Array, keyStart: number, keyEnd: number, sequence: number): void {
    const node = this.#find(hashBytes(bytes, keyStart, keyEnd), bytes, keyStart, keyEnd);
    if (node >= 0) this.#deleteNode(node, sequence);
  }

  /** Deletes the keys from `begin` up to, not including, `end`. */
  deleteRange(begin: Uint8Array, end: Uint8Array, sequence: number): void {
    const order = this.#order;
    const place: OrderedPlace = { leaf: 0, at: 0 };
    order.seekFirst(place);
    const first = order.idAt(place);
    order.seekEnd(place);
    order.backward(place);
    const last = order.idAt(place);
    if (first < 0) return;
    const coversAll =
      compareBytes(begin, this.#keyView(first)) <= 0 && compareBytes(this.#keyView(last), end) < 0;
    if (coversAll && this.#snapshots.size === 0) {
      this.#clear();
      return;
    }
    const doomed: number[] = [];
    order.seek((id) => this.#compare(begin, 0, begin.length, id), place);
    for (let node = order.idAt(place); node >= 0; node = order.idAt(place)) {
      if (this.#compare(end, 0, end.length, node) <= 0) break;
      doomed.push(node);
      order.forward(place);
    }
    for (const node of doomed) this.#deleteNode(node, sequence);
  }

  /** The value that a reader at `sequence` sees, or undefined. Borrowed until the next write. */
  get(key: Uint8Array, sequence: number): Buffer | undefined {
    const node = this.#find(hashBytes(key, 0, key.length), key, 0, key.length);
    return node < 0 ? undefined : this.#valueAt(node, sequence);
  }

  iterate(range: DataRange, sequence: number): DataIterator {
    return new MemtableIterator(this, range, sequence);
  }

  /** Drops the versions that no open snapshot sees any more. */
  prune(): void {
    for (const [node, versions] of [...this.#history]) {
      let newer = this.#sequence[node];
      const kept = versions.filter((version) => {
        const isSeen = this.#isSeenBetween(version.sequence, newer);
        newer = version.sequence;
        if (!isSeen && !version.isDeleted) this.#arena.release(version.address, version.length);
        return isSeen;
      });
      if (kept.length > 0) this.#history.set(node, kept);
      else this.#history.delete(node);
    }
    for (const node of [...this.#tombstones]) {
      if (this.#history.has(node)) continue;
      this.#tombstones.delete(node);
      this.#removeNode(node);
    }
  }

  // The parts below serve the iterator.

  get orderVersion(): number {
    return this.#order.version;
  }

  seek(key: Uint8Array | undefined, place: OrderedPlace): void {
    if (key === undefined) this.#order.seekFirst(place);
    else this.#order.seek((id) => this.#compare(key, 0, key.length, id), place);
  }

  seekEnd(place: OrderedPlace): void {
    this.#order.seekEnd(place);
  }

  nodeAt(place: OrderedPlace): number {
    return this.#order.idAt(place);
  }

  step(place: OrderedPlace, isReverse: boolean): void {
    if (isReverse) this.#order.backward(place);
    else this.#order.forward(place);
  }

  keyOf(node: number): Buffer {
    return this.#keyView(node);
  }

  valueAt(node: number, sequence: number): Buffer | undefined {
    return this.#valueAt(node, sequence);
  }

  #valueAt(node: number, sequence: number): Buffer | undefined {
    if (this.#sequence[node] <= sequence)
      return this.#isDeleted[node]
        ? undefined
        : this.#arena.view(this.#valueAddress[node], this.#valueLength[node]);
    const version = this.#history.get(node)?.find((older) => older.sequence <= sequence);
    if (version === undefined || version.isDeleted) return undefined;
    return this.#arena.view(version.address, version.length);
  }

  /** Before a node gets a new version: keeps the present one if an open snapshot sees it. */
  #supersede(node: number): void {
    if (this.#snapshots.size === 0) return;
    const sequence = this.#sequence[node];
    if (this.#isSeenBetween(sequence, Number.POSITIVE_INFINITY)) {
      const isDeleted = this.#isDeleted[node] !== 0;
      const version = {
        sequence,
        isDeleted,
        address: this.#valueAddress[node],
        length: this.#valueLength[node],
      };
      const versions = this.#history.get(node);
      if (versions === undefined) this.#history.set(node, [version]);
      else versions.unshift(version);
      this.#valueAddress[node] = noAddress;
      this.#valueLength[node] = 0;
    }
    this.#tombstones.delete(node);
  }

  #isSeenBetween(from: number, before: number): boolean {
    for (const snapshot of this.#snapshots.keys()) if (snapshot >= from && snapshot < before) return true;
    return false;
  }

  #deleteNode(node: number, sequence: number): void {
    if (this.#isDeleted[node]) return;
    this.#supersede(node);
    if (this.#history.has(node)) {
      this.#releaseValue(node);
      this.#sequence[node] = sequence;
      this.#isDeleted[node] = 1;
      this.#tombstones.add(node);
    } else {
      this.#removeNode(node);
    }
  }

  #releaseValue(node: number): void {
    if (this.#valueAddress[node] !== noAddress)
      this.#arena.release(this.#valueAddress[node], this.#valueLength[node]);
    this.#valueAddress[node] = noAddress;
    this.#valueLength[node] = 0;
  }

  #addNode(hash: number, bytes: Uint8Array, keyStart: number, keyEnd: number): number {
    const node = this.#spareNodes.pop() ?? this.#nodes++;
    if (node >= this.#hash.length) this.#growNodes();
    const length = keyEnd - keyStart;
    this.#hash[node] = hash;
    this.#keyAddress[node] = this.#arena.allocate(length);
    this.#keyLength[node] = length;
    this.#arena.write(this.#keyAddress[node], bytes, keyStart, keyEnd);
    this.#count++;
    if (this.#count * 2 > this.#slots.length) this.#growSlots();
    this.#claimSlot(node);
    this.#order.insert(node, (id) => this.#compare(bytes, keyStart, keyEnd, id));
    return node;
  }

  #removeNode(node: number): void {
    const key = this.#keyView(node);
    this.#order.remove(node, (id) => this.#compare(key, 0, key.length, id));
    this.#releaseSlot(node);
    this.#releaseValue(node);
    this.#arena.release(this.#keyAddress[node], this.#keyLength[node]);
    this.#isDeleted[node] = 0;
    this.#spareNodes.push(node);
    this.#count--;
  }

  #clear(): void {
    this.#arena.clear();
    this.#order.clear();
    this.#slots = new Uint32Array(1024);
    this.#nodes = 0;
    this.#count = 0;
    this.#spareNodes.length = 0;
    this.#history.clear();
    this.#tombstones.clear();
    this.#isDeleted.fill(0);
  }

  #find(hash: number, bytes: Uint8Array, start: number, end: number): number {
    const mask = this.#slots.length - 1;
    const length = end - start;
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const node = this.#slots[slot] - 1;
      if (node < 0) return -1;
      if (this.#hash[node] !== hash || this.#keyLength[node] !== length) continue;
      const chunk = this.#arena.chunkOf(this.#keyAddress[node]);
      const offset = offsetOf(this.#keyAddress[node]);
      let i = 0;
      while (i < length && chunk[offset + i] === bytes[start + i]) i++;
      if (i === length) return node;
    }
  }

  #claimSlot(node: number): void {
    const mask = this.#slots.length - 1;
    let slot = this.#hash[node] & mask;
    while (this.#slots[slot] !== 0) slot = (slot + 1) & mask;
    this.#slots[slot] = node + 1;
  }

  #releaseSlot(node: number): void {
    const slots = this.#slots;
    const mask = slots.length - 1;
    let hole = this.#hash[node] & mask;
    while (slots[hole] !== node + 1) hole = (hole + 1) & mask;
    // Entries behind the hole move up unless that would put them before their home slot.
    for (let slot = (hole + 1) & mask; slots[slot] !== 0; slot = (slot + 1) & mask) {
      const home = this.#hash[slots[slot] - 1] & mask;
      if (((slot - home) & mask) >= ((slot - hole) & mask)) {
        slots[hole] = slots[slot];
        hole = slot;
      }
    }
    slots[hole] = 0;
  }

  #growSlots(): void {
    const old = this.#slots;
    this.#slots = new Uint32Array(old.length * 2);
    for (const entry of old) if (entry !== 0) this.#claimSlot(entry - 1);
  }

  #growNodes(): void {
    const length = this.#hash.length * 2;
    const grow = <Field extends Uint32Array | Float64Array | Uint8Array>(old: Field, grown: Field): Field => {
      grown.set(old);
      return grown;
    };
    this.#hash = grow(this.#hash, new Uint32Array(length));
    this.#keyAddress = grow(this.#keyAddress, new Uint32Array(length));
    this.#keyLength = grow(this.#keyLength, new Uint32Array(length));
    this.#valueAddress = grow(this.#valueAddress, new Uint32Array(length));
    this.#valueLength = grow(this.#valueLength, new Uint32Array(length));
    this.#sequence = grow(this.#sequence, new Float64Array(length));
    this.#isDeleted = grow(this.#isDeleted, new Uint8Array(length));
  }

  #keyView(node: number): Buffer {
    return this.#arena.view(this.#keyAddress[node], this.#keyLength[node]);
  }

  /** Orders the given key against a node's. */
  #compare(bytes: Uint8Array, start: number, end: number, node: number): number {
    const chunk = this.#arena.chunkOf(this.#keyAddress[node]);
    const offset = offsetOf(this.#keyAddress[node]);
    const length = end - start;
    const other = this.#keyLength[node];
    const shared = Math.min(length, other);
    for (let i = 0; i < shared; i++) {
      const difference = bytes[start + i] - chunk[offset + i];
      if (difference !== 0) return difference;
    }
    return length - other;
  }
}

/** Walks one column family at one sequence; stays right when the data changes under it. */
class MemtableIterator implements DataIterator {
  readonly #table: Memtable;
  readonly #range: DataRange;
  readonly #sequence: number;
  readonly #place: OrderedPlace = { leaf: 0, at: 0 };
  #orderVersion = -1;
  #key: Buffer = Buffer.allocUnsafe(64);
  #keyLength = 0;
  #item: DataItem | undefined;

  constructor(table: Memtable, range: DataRange, sequence: number) {
    this.#table = table;
    this.#range = range;
    this.#sequence = sequence;
    if (range.isReverse) {
      if (range.end === undefined) table.seekEnd(this.#place);
      else table.seek(range.end, this.#place);
      table.step(this.#place, true);
    } else {
      table.seek(range.begin, this.#place);
    }
    this.#settle();
  }

  get valid(): boolean {
    return this.#item !== undefined;
  }

  get item(): DataItem {
    if (this.#item === undefined) throw new RangeError('the iterator is not valid');
    return this.#item;
  }

  next(): void {
    if (this.#item === undefined) return;
    const isReverse = this.#range.isReverse === true;
    if (this.#orderVersion !== this.#table.orderVersion) {
      // Keys came or went: find the place again by the key where we stood.
      const key = this.#key.subarray(0, this.#keyLength);
      this.#table.seek(key, this.#place);
      const node = this.#table.nodeAt(this.#place);
      const isAtKey = node >= 0 && compareBytes(this.#table.keyOf(node), key) === 0;
      if (isReverse || isAtKey) this.#table.step(this.#place, isReverse);
    } else {
      this.#table.step(this.#place, isReverse);
    }
    this.#settle();
  }

  seek(target: Uint8Array): void {
    const { begin, end, isReverse } = this.#range;
    if (isReverse) {
      // The last key at or before the target.
      const bound = end !== undefined && compareBytes(target, end) >= 0 ? end : undefined;
      this.#table.seek(bound ?? target, this.#place);
      const node = this.#table.nodeAt(this.#place);
      const isExact = bound === undefined && node >= 0 && compareBytes(this.#table.keyOf(node), target) === 0;
      if (!isExact) this.#table.step(this.#place, true);
    } else {
      this.#table.seek(begin !== undefined && compareBytes(target, begin) < 0 ? begin : target, this.#place);
    }
    this.#settle();
  }

  close(): void {
    this.#item = undefined;
  }

  *[Symbol.iterator](): Generator<DataItem> {
    try {
      for (; this.#item !== undefined; this.next()) yield this.#item;
    } finally {
      this.close();
    }
  }

  /** Moves on to the first visible key from the place on, and makes it the item. */
  #settle(): void {
    const table = this.#table;
    const { begin, end, isReverse } = this.#range;
    this.#item = undefined;
    this.#orderVersion = table.orderVersion;
    for (let node = table.nodeAt(this.#place); node >= 0; node = table.nodeAt(this.#place)) {
      const key = table.keyOf(node);
      if (
        isReverse
          ? begin !== undefined && compareBytes(key, begin) < 0
          : end !== undefined && compareBytes(key, end) >= 0
      )
        return;
      const value = table.valueAt(node, this.#sequence);
      if (value !== undefined) {
        if (key.length > this.#key.length) this.#key = Buffer.allocUnsafe(key.length * 2);
        this.#key.set(key);
        this.#keyLength = key.length;
        this.#item = { key, value };
        return;
      }
      table.step(this.#place, isReverse === true);
    }
  }
}

const hashBytes = (bytes: Uint8Array, start: number, end: number): number => {
  let hash = 0x811c9dc5 ^ (end - start);
  let i = start;
  for (const last = end - 3; i < last; i += 4) {
    const word = bytes[i] | (bytes[i + 1] << 8) | (bytes[i + 2] << 16) | (bytes[i + 3] << 24);
    hash = Math.imul(hash ^ word, 0x9e3779b1);
    hash ^= hash >>> 15;
  }
  for (; i < end; i++) hash = Math.imul(hash ^ bytes[i], 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 13), 0x85ebca6b);
  return (hash ^ (hash >>> 16)) >>> 0;
};

const noAddress = 0xffffffff;
const bytesPerNode = 4 * 5 + 8 + 1;
