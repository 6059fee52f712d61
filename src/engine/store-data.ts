import { compareBytes } from '../bytes/index.js';
import { TailraceError } from '../errors/index.js';
import type { Files } from '../files/index.js';
import type { CheckedBatch } from './checked-batch.js';
import { columnFamilyNames } from './column-family.js';
import type { DataIterator, DataRange, Snapshot, ValuePlace } from './engine-api.js';
import { Flush } from './flush.js';
import { LayeredIterator } from './layered-iterator.js';
import { Layers } from './layers.js';
import { MemtableGroup, MemtableMemory } from './memtable/index.js';
import { type HeldState, type TreeState, TreeStore, type TreeStoreOptions } from './tree/index.js';

export interface StoreDataOptions {
  readonly directory: string;
  readonly storeId: string;
  readonly files: Files;
  readonly isReadOnly: boolean;
  /** Size at which memtables are frozen and flushed, in bytes. */
  readonly memtableBytes: number;
  readonly pageCacheBytes: number;
  readonly maxDataBytes: number;
  /** Size of frozen memtables from which on they are merged in a separate thread, in bytes. */
  readonly threadFromBytes: number;
}

/**
 * The data of a store: memtables over trees. Writes go to the newest memtables; when these have grown to their limit
 * they are frozen, and merged into the trees in the background (`flush`).
 * Readers look through all of them and do not notice.
 */
export class StoreData {
  readonly #options: StoreDataOptions;
  readonly #memory: MemtableMemory;
  #layers: Layers;
  readonly flush: Flush;
  #isClosed = false;
  #snapshots = 0;
  /** Bytes of batches in the newest memtables: what opening would have to replay. */
  #appliedBytes = 0;
  /** At how many applied bytes the size of the memtables is looked at next. */
  #measureAt = 0;

  private constructor(options: StoreDataOptions, trees: TreeStore | undefined) {
    this.#options = options;
    this.#memory = new MemtableMemory(spareMemtables * options.memtableBytes);
    this.#layers = new Layers([new MemtableGroup(trees !== undefined, this.#memory)], trees, trees?.state);
    this.flush = new Flush(
      {
        layers: () => this.#layers,
        openTrees: async () => this.#layers.trees ?? (await this.#createTrees()),
        moveToTrees: (flushed, trees, state) => this.#moveToTrees(flushed, trees, state),
      },
      options,
    );
  }

  /**
   * Opens the trees of a directory, when it has any, and holds the older states given.
   * @throws TailraceError `STORE_CORRUPT` | `FILE_INACCESSIBLE`
   */
  static async open(
    options: StoreDataOptions,
    older: readonly TreeState[],
  ): Promise<{ data: StoreData; held: HeldState[] }> {
    if (!TreeStore.exists(options.directory)) return { data: new StoreData(options, undefined), held: [] };
    const { store, held } = await TreeStore.open(options.directory, treeOptions(options), older);
    return { data: new StoreData(options, store), held };
  }

  /** Last sequence number that the trees contain. */
  get flushedSequence(): number {
    return this.#layers.state?.sequence ?? 0;
  }

  get trees(): TreeStore | undefined {
    return this.#layers.trees;
  }

  get layers(): Layers {
    return this.#layers;
  }

  get openSnapshots(): number {
    return this.#snapshots;
  }

  /** Memory of the memtables, those being flushed and what is kept for the next ones included. */
  get memtableBytes(): number {
    return this.#layers.groups.reduce((total, group) => total + group.byteLength, this.#memory.spareBytes);
  }

  /** About how many entries a column family has: one that is overwritten or deleted in memory is not looked up. */
  entriesOf(columnFamily: number): number {
    const tables = this.#layers.groups.map((group) => group.tables[columnFamily]);
    if (this.#isTreeDeleted(columnFamily))
      return tables.reduce((total, { liveEntries }) => total + liveEntries, 0);
    const { entries } = this.#layers.rootOf(columnFamily);
    return Math.max(
      0,
      tables.reduce((total, { addedEntries }) => total + addedEntries, entries),
    );
  }

  /** True when a range that was deleted in memory covers the whole tree. */
  #isTreeDeleted(columnFamily: number): boolean {
    const { groups, trees } = this.#layers;
    const root = this.#layers.rootOf(columnFamily);
    if (trees === undefined || root.unit === 0) return false;
    if (groups.every(({ tables }) => tables[columnFamily].deletedRanges.isEmpty)) return false;
    const cursor = trees.cursor(root);
    cursor.seekFirst();
    const first = cursor.key();
    cursor.seekLast();
    const last = cursor.key();
    return groups.some(({ tables }) => {
      const range = tables[columnFamily].deletedRanges.at(first, 0, first.length, newest);
      return range !== undefined && compareBytes(last, range.end) < 0;
    });
  }

  /** Applies a batch of so many bytes whose first record has this sequence number. */
  apply(batch: CheckedBatch, sequence: number, bytes: number): void {
    batch.applyTo(this.#layers.groups[0].tables, sequence);
    this.#appliedBytes += bytes;
  }

  /** Deletes a range without a batch; `sequence` is the last one applied. */
  discard(columnFamily: number, begin: Uint8Array, end: Uint8Array, sequence: number): void {
    this.#layers.groups[0].tables[columnFamily].deleteRange(begin, end, sequence);
  }

  /** Freezes the memtables when they have reached their limit; `sequence` is the last one applied. */
  freezeIfFull(sequence: number): void {
    const { memtableBytes, isReadOnly } = this.#options;
    if (this.#appliedBytes < this.#measureAt || isReadOnly) return;
    this.#measureAt = this.#appliedBytes + memtableBytes / measuresPerMemtable;
    // Overwriting takes no memory, but the log to replay grows with it, and must not become long either.
    const isLong = this.#appliedBytes >= memtableBytes * replayPerMemtable;
    const { usedBytes } = this.#layers.groups[0];
    const isFull =
      usedBytes >= memtableBytes || (usedBytes >= memtableBytes * leastFrozen && this.flush.isReadyForMore);
    if (isLong || isFull) this.freeze(sequence);
  }

  /** True when so much is not flushed that replaying it at the next open would take noticeably long. */
  get isWorthFlushing(): boolean {
    return this.#appliedBytes >= worthFlushingBytes;
  }

  /** Freezes the memtables, unless they are empty: what is written from now on is apart from what was. */
  freeze(sequence: number): void {
    if (!this.#layers.groups[0].isEmpty) this.#freeze(sequence);
  }

  /** Freezes the memtables so that what they and the trees hold is the data at `sequence`, the last one applied. */
  freezeAt(sequence: number): void {
    if (sequence > this.#boundary) this.#freeze(sequence);
  }

  /** True when the trees hold the data at `sequence`, the last one applied, and nothing is in memory. */
  isFlushedTo(sequence: number): boolean {
    return this.#layers.groups.length === 1 && this.#boundary === sequence;
  }

  /** Last sequence number that is apart from what is written now; -1 = nothing ever was. */
  get #boundary(): number {
    const { groups, state } = this.#layers;
    if (groups.length > 1) return groups[1].lastSequence;
    return state?.space === undefined ? -1 : state.sequence;
  }

  #freeze(sequence: number): void {
    const { groups, trees, state } = this.#layers;
    groups[0].freeze(sequence);
    this.#appliedBytes = 0;
    this.#measureAt = 0;
    this.#layers = new Layers([new MemtableGroup(true, this.#memory, groups[0]), ...groups], trees, state);
    this.flush.onFrozen(groups[0]);
  }

  get(columnFamily: number, key: Uint8Array): Buffer | undefined {
    return this.#layers.get(columnFamily, key, newest);
  }

  locate(columnFamily: number, key: Uint8Array, place: ValuePlace): boolean {
    return this.#layers.locate(columnFamily, key, newest, place);
  }

  iterate(range: DataRange): DataIterator {
    return new LayeredIterator(() => this.#layers, range, newest);
  }

  snapshot(sequence: number): Snapshot {
    const { groups } = this.#layers;
    const [newestGroup] = groups;
    newestGroup.addSnapshot(sequence);
    return this.#snapshotOf(groups, this.trees?.hold(), sequence, () =>
      newestGroup.releaseSnapshot(sequence),
    );
  }

  /** The data at a sequence number at which the memtables were frozen and that is not flushed yet. */
  frozenSnapshot(sequence: number): Snapshot {
    const groups = this.#layers.groups.filter(
      ({ isFrozen, lastSequence }) => isFrozen && lastSequence <= sequence,
    );
    return this.#snapshotOf(groups, this.trees?.hold(), sequence, () => {});
  }

  /** The data of a state that is held. */
  stateSnapshot({ state, pin }: HeldState): Snapshot {
    return this.#snapshotOf([], { state, pin: pin.retain() }, state.sequence, () => {});
  }

  #snapshotOf(
    groups: readonly MemtableGroup[],
    held: HeldState | undefined,
    sequence: number,
    onClose: () => void,
  ): Snapshot {
    // The trees may be ahead of these layers for a moment: what they have more is in the memtables too.
    const layers = new Layers(groups, this.trees, held?.state);
    for (const group of groups) group.retain();
    this.#snapshots++;
    let isOpen = true;
    const current = (): Layers => {
      if (!isOpen || this.#isClosed) throw closed();
      return layers;
    };
    return {
      sequence,
      get: (columnFamily, key) => current().get(columnFamily, key, sequence),
      iterate: (range) => new LayeredIterator(current, range, sequence),
      close: () => {
        if (!isOpen) return;
        isOpen = false;
        this.#snapshots--;
        onClose();
        for (const group of groups) group.release();
        if (held !== undefined) this.trees?.release(held);
      },
    };
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#layers.trees?.close();
  }

  async #createTrees(): Promise<TreeStore> {
    const options = treeOptions(this.#options);
    await TreeStore.create(this.#options.directory, options);
    const { store } = await TreeStore.open(this.#options.directory, options, []);
    this.#layers = new Layers(this.#layers.groups, store, store.state);
    return store;
  }

  #moveToTrees(flushed: readonly MemtableGroup[], trees: TreeStore, state: TreeState): void {
    const groups = this.#layers.groups.filter((group) => !flushed.includes(group));
    this.#layers = new Layers(groups, trees, state);
    for (const group of flushed) group.release();
  }
}

const treeOptions = (options: StoreDataOptions): TreeStoreOptions => ({
  storeId: options.storeId,
  columnFamilies: columnFamilyNames.length,
  pageCacheBytes: options.pageCacheBytes,
  maxDataBytes: options.maxDataBytes,
  isReadOnly: options.isReadOnly,
  files: options.files,
});

const newest = Number.MAX_SAFE_INTEGER;
/** How often the size of the memtables is looked at while they fill. */
const measuresPerMemtable = 64;
/** Bytes of log per byte of memtable at which it is flushed whatever its size. */
const replayPerMemtable = 3;
/** Part of a memtable from which on it is worth a merge with those that wait, though it is not full. */
const leastFrozen = 1 / 4;
const worthFlushingBytes = 4 * 1024 * 1024;
/** Freed memory of as many memtables is kept for the next ones: as much as is flushed at once. */
const spareMemtables = 2;
const closed = (): TailraceError =>
  new TailraceError('STORE_CLOSED', 'the snapshot is closed', { remedy: 'Take a new one.' });
