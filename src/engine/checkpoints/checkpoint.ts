import type { TreeState } from '../tree/index.js';

/** A durable view of a store's data at one sequence number. Times are ISO 8601 with milliseconds. */
export interface Checkpoint {
  /** UUID; stays the same when the checkpoint is refreshed or advanced. */
  readonly id: string;
  /** A label: several checkpoints may have the same. */
  readonly name: string | null;
  /** Last sequence number in it; never inside a batch. */
  readonly sequence: number;
  readonly created: string;
  /** null = never */
  readonly expires: string | null;
  /** What `expires` was reckoned with, in ms. */
  readonly lifetimeMs: number | null;
  /** Grows when the checkpoint is advanced. */
  readonly generation: number;
  /** True when the log behind it is to be kept for consumers. */
  readonly holdsLog: boolean;
  readonly labels: Readonly<Record<string, string>>;
  /** Who made it: `api`, `cli`, `resp`, `policy:NAME`. */
  readonly creator: string;
}

/** A checkpoint as the store keeps it. */
export interface CheckpointEntry extends Checkpoint {
  /** The trees of it; absent while part of it is in memtables, and in the log, only. */
  readonly state?: TreeState;
  /** Bytes of the data file that it uses. */
  readonly bytes?: number;
}

/** What `list` and `show` tell of a checkpoint. */
export interface CheckpointInfo extends Checkpoint {
  /** An expired one can no longer be opened, and is removed soon. */
  readonly state: 'live' | 'expired';
  /** True when all of it is in the data file; false while its newest part is in the log only, for a short time. */
  readonly isWritten: boolean;
  /** Entries of all column families, once it is written. */
  readonly entries: number | null;
  /** Bytes of the data file that it uses, once it is written. */
  readonly bytes: number | null;
  /** Bytes that would become free if it alone were deleted. */
  readonly uniqueBytes: number | null;
}

export const isExpired = ({ expires }: Checkpoint, nowMs: number): boolean =>
  expires !== null && Date.parse(expires) <= nowMs;
