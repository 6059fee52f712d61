import type { ItemPlace } from '../bytes/index.js';
import type { WriteBatchBuilder } from '../write-batch/index.js';
import type { StoreIterator } from './store-iterator.js';

export { type ItemPlace, nowhere } from '../bytes/index.js';

/**
 * When a write counts as done. `always`: on disk (one fsync for all writes that wait for it). `interval`: handed
 * to the operating system, synced every `syncIntervalMs`. `none`: handed to the operating system.
 */
export type SyncMode = 'always' | 'interval' | 'none';

/** What a committed batch was given. `first` = `last + 1` for a batch without counted records. */
export interface Commit {
  readonly first: number;
  readonly last: number;
}

/** An entry of a column family. */
export interface DataItem {
  readonly key: Buffer;
  readonly value: Buffer;
}

/** A range of keys of one column family, in the order of their bytes. */
export interface DataRange {
  readonly columnFamily: number;
  /** inclusive; absent = from the first key */
  readonly begin?: Uint8Array;
  /** exclusive; absent = past the last key */
  readonly end?: Uint8Array;
  readonly isReverse?: boolean;
}

/** Walks the items of a range as of the moment at which it was made. */
export interface DataIterator extends StoreIterator<DataItem, Uint8Array> {
  /** Tells where the item lies, without making views of it: for walks over millions. Borrowed as the item is. */
  locate(place: ItemPlace): void;
  /**
   * Passes to `target` the items from here on whose keys begin with `prefix`, with that prefix cut off, and moves past
   * them, or past the first for which `target` returns false. Absent where `locate` is as fast.
   */
  copyRun?(prefix: Uint8Array, target: RecordTarget): void;
}

/** Takes items where they lie in memory; they are borrowed for the call. */
export interface RecordTarget {
  /** Returns false when it wants no more. */
  record(
    keyBytes: Buffer,
    keyStart: number,
    keyEnd: number,
    valueBytes: Buffer,
    valueStart: number,
    valueEnd: number,
  ): boolean;
}

/** `locate` of an iterator that has its items as views. */
export const locateItem = ({ key, value }: DataItem, place: ItemPlace): void => {
  place.keyBytes = key;
  place.keyStart = 0;
  place.keyEnd = key.length;
  place.valueBytes = value;
  place.valueStart = 0;
  place.valueEnd = value.length;
};

/** Where a value lies. */
export interface ValuePlace {
  bytes: Buffer;
  start: number;
  end: number;
}

/** Reading the data at one moment. All reads are synchronous. */
export interface DataReader {
  /** Last sequence number that this view contains. */
  readonly sequence: number;
  /** The value, or undefined. Borrowed: copy it before the next write if it must live on. */
  get(columnFamily: number, key: Uint8Array): Buffer | undefined;
  /**
   * As `get`, but tells where the value lies, without making a view of it; false = no value. Borrowed until the next read
   * or write. Not every reader has it.
   */
  locate?(columnFamily: number, key: Uint8Array, place: ValuePlace): boolean;
  iterate(range: DataRange): DataIterator;
}

/** A consistent view of one sequence; holds its resources until closed. */
export interface Snapshot extends DataReader {
  close(): void;
}

/** One batch of the log. `bytes` is the whole serialized WriteBatch, header included. */
export interface WalBatch {
  readonly sequence: number;
  readonly count: number;
  readonly bytes: Buffer;
}

/** Walks durable batches in order. Ends (valid = false) at the durable tip and goes on from there with `next`. */
export interface WalIterator extends StoreIterator<WalBatch, number> {
  /** Resolves true when a batch can be read by `next`, false when aborted or the store closes. */
  waitForMore(signal?: AbortSignal): Promise<boolean>;
}

/** The store as connectors, the server and the data model see it. `Engine` implements it. */
export interface Store extends DataReader {
  /**
   * Applies a batch: visible to `get` and `iterate` at once, to log readers when durable. Synchronous. The bytes
   * are copied, and the sequence number that the batch got is written into the header of `batch`. Await
   * `whenDurable(commit.last)` before telling anyone that it is done.
   */
  commit(batch: Uint8Array): Commit;
  /** Commits what a builder holds; faster than `commit`, since the builder knows where its records are. */
  commitBuilt(builder: WriteBatchBuilder): Commit;
  /** Resolves when every batch up to `sequence` is done in the sense of the store's sync mode. */
  whenDurable(sequence: number): Promise<void>;
  /** `commit` and `whenDurable` in one. `sync` may only be stricter than the store's own mode. */
  write(batch: Uint8Array, options?: { sync?: SyncMode }): Promise<Commit>;
  /** Last sequence number that log readers may see. */
  readonly durableSequence: number;
  snapshot(): Snapshot;
  /**
   * Batches after `since` (the last sequence already handled; 0 = from the first batch).
   * A `since` inside a batch starts at that whole batch.
   * @throws TailraceError `WAL_PURGED` | `WAL_SEQUENCE_AHEAD` | `WAL_CORRUPT`
   */
  walIterator(since: number): WalIterator;
}
