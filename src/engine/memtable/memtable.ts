import { compareBytes } from '../../bytes/index.js';
import type { ValuePlace } from '../engine-api.js';
import { hashKey } from '../key-hash.js';
import { Arena, offsetOf } from './arena.js';
import { DeletedRanges } from './deleted-ranges.js';
import { MemtableMemory } from './memtable-memory.js';
import { NodeOrder } from './node-order.js';
import { type Found, NodeReader } from './node-reader.js';
import { NodeSlots } from './node-slots.js';
import { NodeTable, noAddress } from './node-table.js';
import { OlderVersions } from './older-versions.js';
import type { OpenSnapshots } from './open-snapshots.js';
import { OrderedPlace } from './ordered-index.js';

/**
 * The newest data of one column family, in memory: keys in order, several versions of a key while snapshots need
 * them. Keys and values lie in an arena, the index in typed arrays: nothing per key is on the JavaScript heap.
 *
 * A hash table answers point reads; an ordered index answers ranges. Without an open snapshot an overwrite replaces
 * the value in place; with one, the older version is kept until no snapshot sees it.
 *
 * A deleted key stays as a tombstone, until a walk has stepped over it and found that it hides nothing (`removeIdle`) or
 * is one of many in a row (`join`). In a memtable that lies over older data (`hidesOlder`) so does a key that it does not
 * have, and a deleted range stays in a list; what is put after a range was deleted is found before the list is asked.
 *
 * Synchronous and single-threaded. Hot: bench `engine-write`.
 */
export class Memtable {
  readonly #arena: Arena;
  readonly #nodes: NodeTable;
  readonly #slots: NodeSlots;
  /** How many keys it will probably have. */
  readonly #expected: number;
  readonly #order: NodeOrder;
  readonly #older: OlderVersions;
  /** Of the nodes that cursors come to. */
  readonly reader: NodeReader;
  /** Nodes in a deleted range that some snapshot still sees. */
  readonly #tombstones = new Set<number>();
  readonly #snapshots: OpenSnapshots;
  readonly #hidesOlder: boolean;
  /** Ranges of keys whose older data is deleted. */
  readonly deletedRanges = new DeletedRanges();
  #changes = 0;
  #isFrozen = false;
  #deletedCount = 0;
  /** Tombstones that became parts of deleted ranges. */
  #joinedCount = 0;

  /** @param previous the one before: what was done with it will be done with this one, as far as is known */
  constructor(
    snapshots: OpenSnapshots,
    hidesOlder: boolean,
    memory = new MemtableMemory(),
    previous?: Memtable,
  ) {
    this.#arena = new Arena(memory);
    this.#nodes = new NodeTable(this.#arena);
    this.#older = new OlderVersions(this.#nodes, this.#arena, snapshots);
    this.reader = new NodeReader(this.#arena, this.#nodes, this.#older);
    // One that was frozen early, as for a checkpoint, says little about the next; and a table that has to grow stops writers.
    const expected = previous === undefined ? 0 : previous.#expected;
    this.#expected = Math.max(previous?.count ?? 0, expected - (expected >>> 3));
    this.#slots = new NodeSlots(this.#nodes, memory, this.#expected);
    this.#order = new NodeOrder(this.#nodes, previous?.isOrderAsked ?? false, this.#expected);
    this.#snapshots = snapshots;
    this.#hidesOlder = hidesOlder;
  }

  /** Grows with every change, so that cursors notice. */
  get version(): number {
    return this.#changes + this.#order.moves;
  }

  /** Nothing changes any more: not even tombstones that snapshots have let go are removed. */
  freeze(): void {
    this.#isFrozen = true;
  }

  /** Gives its memory back: nobody reads it any more, and who borrowed from it does not once something is written. */
  letGo(): void {
    this.#changes++;
    this.#clear();
  }

  /** Keys, those that only snapshots still see and those that are deleted included. */
  get count(): number {
    return this.#slots.count;
  }

  /** About how many entries it adds to what lies below: a key that it deletes is one less there, most of the time. */
  get addedEntries(): number {
    return this.liveEntries - (this.#hidesOlder ? this.#deletedCount : 0) - this.#joinedCount;
  }

  /** Keys that are not deleted. */
  get liveEntries(): number {
    return this.#slots.count - this.#deletedCount;
  }

  /** True when neither a key nor a deletion is in it. */
  get isEmpty(): boolean {
    return this.#slots.count === 0 && this.deletedRanges.isEmpty;
  }

  /** Bytes that keys, values and their places take. */
  get usedBytes(): number {
    return this.#arena.usedBytes + this.#slots.count * indexBytesPerNode;
  }

  /** Memory in bytes: what is reserved, not only what is used. */
  get byteLength(): number {
    return this.#arena.reservedBytes + this.#order.byteLength + this.#slots.byteLength;
  }

  put(
    bytes: Uint8Array,
    keyStart: number,
    keyEnd: number,
    valueStart: number,
    valueEnd: number,
    sequence: number,
  ): void {
    this.#changes++;
    const nodes = this.#nodes;
    const hash = hashKey(bytes, keyStart, keyEnd);
    let node = this.#slots.find(hash, bytes, keyStart, keyEnd);
    if (node < 0) {
      node = this.#addNode(hash, bytes, keyStart, keyEnd);
    } else {
      this.#supersede(node);
      if (nodes.isDeleted(node)) this.#deletedCount--;
    }
    nodes.setState(node, sequence, false);
    const length = valueEnd - valueStart;
    let address = nodes.valueAddressOf(node);
    if (address === noAddress || !this.#arena.fits(nodes.valueLengthOf(node), length)) {
      this.#releaseValue(node);
      address = this.#arena.allocate(length);
    }
    nodes.setValue(node, address, length);
    this.#arena.write(address, bytes, valueStart, valueEnd);
  }

  delete(bytes: Uint8Array, keyStart: number, keyEnd: number, sequence: number): void {
    this.#changes++;
    const hash = hashKey(bytes, keyStart, keyEnd);
    const node = this.#slots.find(hash, bytes, keyStart, keyEnd);
    // What older layers have in a deleted range needs no tombstone to be hidden.
    const isHidden = this.deletedRanges.at(bytes, keyStart, keyEnd, Number.POSITIVE_INFINITY) !== undefined;
    if (node >= 0) {
      this.#deleteNode(node, sequence, !isHidden);
    } else if (this.#hidesOlder && !isHidden) {
      const added = this.#addNode(hash, bytes, keyStart, keyEnd);
      this.#nodes.setState(added, sequence, true);
      this.#deletedCount++;
    }
  }

  /** Deletes the keys from `begin` up to, not including, `end`. */
  deleteRange(begin: Uint8Array, end: Uint8Array, sequence: number): void {
    this.#changes++;
    if (this.#hidesOlder) this.deletedRanges.add(begin, end, sequence, this.#snapshots.size > 0);
    const order = this.#order;
    const place = new OrderedPlace();
    order.seekFirst(place);
    const first = place.id;
    order.seekEnd(place);
    order.backward(place);
    const last = place.id;
    if (first < 0) return;
    const coversAll =
      compareBytes(begin, this.#nodes.keyOf(first)) <= 0 && compareBytes(this.#nodes.keyOf(last), end) < 0;
    if (coversAll && this.#snapshots.size === 0) {
      this.#clear();
      return;
    }
    const doomed: number[] = [];
    order.seek(begin, place);
    for (let node = place.id; node >= 0; node = place.id) {
      if (this.#nodes.compare(end, 0, end.length, node, 0) <= 0) break;
      doomed.push(node);
      order.forward(place);
    }
    for (const node of doomed) this.#deleteNode(node, sequence, false);
  }

  /** What a reader at `sequence` sees of a key, whose hash is given. Borrowed until the next write. */
  find(key: Uint8Array, hash: number, sequence: number): Found {
    if (this.#slots.count > 0) {
      const node = this.#slots.find(hash, key, 0, key.length);
      const found = node < 0 ? undefined : this.reader.valueAt(node, sequence);
      if (found !== undefined) return found;
    }
    return this.deletedRanges.at(key, 0, key.length, sequence) === undefined ? undefined : 'deleted';
  }

  /** As `find`, telling where the value lies: true = at `place`, false = deleted whatever older layers hold. */
  findPlace(key: Uint8Array, hash: number, sequence: number, place: ValuePlace): boolean | undefined {
    if (this.#slots.count > 0) {
      const node = this.#slots.find(hash, key, 0, key.length);
      if (node >= 0 && this.#nodes.sequenceOf(node) <= sequence) {
        if (this.#nodes.isDeleted(node)) return false;
        const address = this.#nodes.valueAddressOf(node);
        place.bytes = this.#arena.chunkOf(address);
        place.start = offsetOf(address);
        place.end = place.start + this.#nodes.valueLengthOf(node);
        return true;
      }
      const older = node < 0 ? undefined : this.reader.valueAt(node, sequence);
      if (older === 'deleted') return false;
      if (older !== undefined) {
        place.bytes = older;
        place.start = 0;
        place.end = older.length;
        return true;
      }
    }
    return this.deletedRanges.at(key, 0, key.length, sequence) === undefined ? undefined : false;
  }

  /** True when ranges of it were read. */
  get isOrderAsked(): boolean {
    return this.#order.isAsked;
  }

  /** All nodes in the order of their keys, once it has settled, unless an index has them, which `seek` and `step` walk. */
  get sortedNodes(): Int32Array | undefined {
    return this.#order.sortedNodes;
  }

  /** Brings all keys in order, as who walks them needs it: in steps of about a millisecond, once it is frozen. */
  settling(): Generator<undefined, void> {
    return this.#order.settling();
  }

  /** False while `pruning` would take longer than it is worth. */
  get isWorthPruning(): boolean {
    return !this.#isFrozen && this.#older.isWorthPruning;
  }

  /** Drops the versions that no open snapshot sees any more, some at a time. */
  *pruning(): Generator<undefined, void> {
    for (const _ of this.#older.pruning()) {
      yield;
      if (this.#isFrozen) return;
    }
    for (const node of this.#tombstones) {
      if (this.#older.has(node)) continue;
      this.#removeTombstone(node);
      yield;
      if (this.#isFrozen) return;
    }
  }

  /**
   * Removes tombstones whose keys no older layer has, so that queues and other short-lived keys do not leave more and more
   * of them for every walk to step over. Those that are frozen meanwhile stay, and those that hide something from a
   * snapshot: a version, or what a range deletes only for those who came later.
   */
  removeIdle(tombstones: readonly number[]): void {
    if (this.#isFrozen) return;
    for (const node of tombstones) {
      if (!this.#nodes.isDeleted(node) || this.#older.has(node)) continue;
      const key = this.#nodes.keyOf(node);
      const isInRange = this.deletedRanges.at(key, 0, key.length, Number.POSITIVE_INFINITY) !== undefined;
      if (isInRange && this.#snapshots.size > 0) continue;
      if (isInRange) this.#joinedCount++;
      this.#removeTombstone(node);
    }
  }

  /**
   * A range in which the newest reader finds nothing: its tombstones, or as many of them as are given, become one
   * deleted range. Not while a snapshot is open: it may see less deleted, or be the one that finds nothing.
   */
  join(begin: Uint8Array, end: Uint8Array, tombstones: readonly number[]): void {
    if (this.#isFrozen || this.#snapshots.size > 0 || !this.#hidesOlder) return;
    this.#changes++;
    this.deletedRanges.add(begin, end, 0, false);
    for (const node of tombstones) {
      if (this.#older.has(node)) continue;
      this.#joinedCount++;
      this.#removeTombstone(node);
    }
  }

  // The parts below serve cursors.

  seek(key: Uint8Array | undefined, place: OrderedPlace): void {
    if (key === undefined) this.#order.seekFirst(place);
    else this.#order.seek(key, place);
  }

  seekEnd(place: OrderedPlace): void {
    this.#order.seekEnd(place);
  }

  returnTo(place: OrderedPlace, branch: number, leaf: number, at: number): void {
    this.#order.returnTo(place, branch, leaf, at);
  }

  step(place: OrderedPlace, isReverse: boolean): void {
    if (isReverse) this.#order.backward(place);
    else this.#order.forward(place);
  }

  /** Before a node gets a new version: keeps the present one if an open snapshot sees it. */
  #supersede(node: number): void {
    if (this.#tombstones.size > 0) this.#tombstones.delete(node);
    if (this.#snapshots.size > 0 && this.#older.keep(node)) this.#nodes.setValue(node, noAddress, 0);
  }

  #deleteNode(node: number, sequence: number, leavesTombstone: boolean): void {
    if (this.#nodes.isDeleted(node)) return;
    this.#supersede(node);
    const isSeen = this.#older.has(node);
    if (!isSeen && !leavesTombstone) {
      this.#removeNode(node);
      return;
    }
    this.#releaseValue(node);
    this.#nodes.setState(node, sequence, true);
    this.#deletedCount++;
    if (!leavesTombstone) this.#tombstones.add(node);
  }

  #releaseValue(node: number): void {
    const address = this.#nodes.valueAddressOf(node);
    if (address === noAddress) return;
    this.#arena.release(address, this.#nodes.valueLengthOf(node));
    this.#nodes.setValue(node, noAddress, 0);
  }

  #addNode(hash: number, bytes: Uint8Array, keyStart: number, keyEnd: number): number {
    const node = this.#nodes.add(bytes, keyStart, keyEnd);
    this.#slots.add(hash, node);
    this.#order.add(node, bytes, keyStart, keyEnd);
    return node;
  }

  #removeTombstone(node: number): void {
    this.#changes++; // places behind it in the order are others now
    this.#tombstones.delete(node);
    this.#removeNode(node);
  }

  #removeNode(node: number): void {
    const key = this.#nodes.keyOf(node);
    this.#order.remove(node, key, 0, key.length);
    this.#slots.remove(hashKey(key, 0, key.length), node);
    this.#releaseValue(node);
    if (this.#nodes.isDeleted(node)) this.#deletedCount--;
    this.#nodes.remove(node);
  }

  #clear(): void {
    this.#arena.clear();
    this.#order.clear();
    this.#slots.clear();
    this.#deletedCount = 0;
    this.#joinedCount = 0;
    this.#older.clear();
    this.#tombstones.clear();
  }
}

/** About: an id and a digest in the order, and a slot, none of which is full. */
const indexBytesPerNode = 20;
