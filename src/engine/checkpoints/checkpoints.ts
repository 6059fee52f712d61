import type { Snapshot } from '../engine-api.js';
import type { Checkpoint, CheckpointInfo } from './checkpoint.js';
import type { Exported } from './checkpoint-export.js';
import type { Restored } from './restore.js';

/**
 * The checkpoints of a store. Making one costs the same whatever the size of the data: the memtables are frozen at its
 * sequence number, and it is noted in the catalog. Until they are flushed, which is soon, part of it is in the log;
 * should the store stop before, opening it freezes the memtables at the same place again. From then on a checkpoint
 * holds the pages that it shares with nobody newer, and nothing else.
 *
 * Everywhere a checkpoint is named by its id, the first 4 or more characters of it, its name (the newest live one
 * with it), or `@latest`.
 */
export interface Checkpoints {
  /**
   * Makes a checkpoint of all that was committed before the call; resolves when it is durable.
   * @throws TailraceError `CHECKPOINT_NAME_TAKEN` | `LIMIT_EXCEEDED` | `CHECKPOINT_NOT_FOUND` | `CHECKPOINT_EXPIRED`
   *   (of the source) | `STORE_READ_ONLY` | `STORE_FAILED`
   */
  create(options?: CreateOptions): Promise<Checkpoint>;
  /**
   * Gives a checkpoint a new lifetime, and with `isAdvanced` the newest data under the same id.
   * @throws TailraceError `CHECKPOINT_NOT_FOUND` | `CHECKPOINT_EXPIRED` | `LIMIT_EXCEEDED` | `STORE_READ_ONLY`
   */
  refresh(reference: string, options?: RefreshOptions): Promise<Checkpoint>;
  /** From the newest to the oldest. */
  list(filter?: ListFilter): CheckpointInfo[];
  /** What is known of one. @throws TailraceError `CHECKPOINT_NOT_FOUND` */
  show(reference: string): CheckpointInfo;
  /**
   * Deletes a checkpoint; readers that are open keep what they see. Its space is free once they are closed.
   * @throws TailraceError `CHECKPOINT_NOT_FOUND` | `STORE_READ_ONLY`
   */
  delete(reference: string): Promise<Checkpoint>;
  /**
   * Reads the data as it was. Close it: its pages are held as long as it is open.
   * @throws TailraceError `CHECKPOINT_NOT_FOUND` | `CHECKPOINT_EXPIRED`
   */
  open(reference: string): Snapshot;
  /**
   * Makes a new store from a checkpoint, in a directory that does not exist or is empty. The new store has an
   * identity of its own; its sequence numbers go on from the checkpoint's, its log is empty.
   * @throws TailraceError `CHECKPOINT_NOT_FOUND` | `CHECKPOINT_EXPIRED` | `FILE_INACCESSIBLE`
   */
  restore(reference: string, directory: string): Promise<Restored>;
  /**
   * Writes a checkpoint to a file that does not exist yet; with a base, an older checkpoint, only what has changed
   * since. `applyCheckpointExport` makes a store of it.
   * @throws TailraceError `CHECKPOINT_NOT_FOUND` | `CHECKPOINT_EXPIRED` | `CHECKPOINT_IN_USE` | `FILE_INACCESSIBLE`
   */
  export(reference: string, file: string, options?: { readonly base?: string }): Promise<Exported>;
  /**
   * The live checkpoints that hold the log, each with the first sequence number that it wants: that of its last batch, by
   * which a consumer that goes on from the checkpoint knows the history again.
   */
  readonly logHolds: readonly { readonly name: string; readonly from: number }[];
  /** Removes the checkpoints that have expired; returns how many. */
  reap(): Promise<number>;
}

/** What a new checkpoint is called, and how long it lives. */
export interface CreateOptions {
  readonly name?: string;
  /** How long it lives, in ms, 1 s to 100 years; absent = until it is deleted. */
  readonly lifetimeMs?: number;
  /** What to do when a live checkpoint has the name already; default `allow`. */
  readonly ifNameExists?: 'allow' | 'refuse' | 'replace';
  /** Keep the log behind it for consumers; default false. */
  readonly holdsLog?: boolean;
  readonly labels?: Readonly<Record<string, string>>;
  /** Default `api`. */
  readonly creator?: string;
  /** Shows the very data of another checkpoint, instead of the newest. */
  readonly source?: string;
}

/** What changes of a checkpoint that goes on living. */
export interface RefreshOptions {
  /** New lifetime from now on, in ms; null = it never expires; absent = its lifetime again. */
  readonly lifetimeMs?: number | null;
  /** Makes it show the newest data. Readers that are open keep what they see. */
  readonly isAdvanced?: boolean;
}

/** Which checkpoints are told; all conditions must hold. */
export interface ListFilter {
  readonly name?: string;
  readonly state?: 'live' | 'expired';
  /** Those that have all of these labels. */
  readonly labels?: Readonly<Record<string, string>>;
}
