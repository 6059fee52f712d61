import type { Files } from '../files/index.js';
import type { CheckpointPolicyOptions } from './checkpoints/index.js';
import type { SyncMode } from './engine-api.js';
import type { RetentionOptions } from './retention/index.js';

/** Settings of a store; each has a default. */
export interface EngineOptions {
  /** When a write counts as done; default `always`. */
  readonly sync?: SyncMode;
  /** Time between syncs in mode `interval`, in ms; default 1000. */
  readonly syncIntervalMs?: number;
  /** Size at which a log segment is finished, in bytes; default 64 MiB, or a quarter of `retention.maxBytes`. */
  readonly segmentBytes?: number;
  /**
   * Opens a store for reading beside its writer: takes no lock, changes nothing, sees what was on disk at open. A read
   * throws `STORE_CHANGED` when the writer has meanwhile reused a page that it needs.
   */
  readonly isReadOnly?: boolean;
  /** Largest batch that `commit` takes, in bytes; default 512 MiB. */
  readonly maxBatchBytes?: number;
  /**
   * Size of the memtables at which they are flushed to the data file, in bytes; default 64 MiB. Twice that is used at
   * most times, up to four and a half times where more is written than can be flushed.
   */
  readonly memtableBytes?: number;
  /** Memory for pages of the data file, in bytes, used as needed; default 128 MiB. */
  readonly pageCacheBytes?: number;
  /**
   * Size that the data file may not exceed, in bytes; default: the most that the format allows, 16 TiB. A store whose data
   * no longer fits fails.
   */
  readonly maxDataBytes?: number;
  /**
   * Size of memtables from which on they are flushed in a separate thread, in bytes; default 4 MiB, `Infinity` = never.
   */
  readonly threadFromBytes?: number;
  /** For how long the log is kept. */
  readonly retention?: Partial<RetentionOptions>;
  /** When to make checkpoints automatically; absent = never. */
  readonly checkpointPolicy?: CheckpointPolicyOptions;
  /** The clock, for the lifetimes of checkpoints; default `Date.now`. */
  readonly nowMs?: () => number;
  /** How files are written; tests inject failures here. */
  readonly files?: Files;
}

export const defaultSegmentBytes = 64 * 1024 * 1024;
export const defaultSyncIntervalMs = 1_000;
export const defaultMemtableBytes = 64 * 1024 * 1024;
export const defaultPageCacheBytes = 128 * 1024 * 1024;
/** A thread costs some 10 MiB of memory: a small store can do without. */
export const defaultThreadFromBytes = 4 * 1024 * 1024;
export const defaultMaxBatchBytes = 512 * 1024 * 1024;
