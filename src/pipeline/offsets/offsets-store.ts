import type { Position } from '../../kit/index.js';
import type { Lease } from './lease.js';

/** The position of one sink of one pipeline. */
export interface StoredOffset {
  readonly pipeline: string;
  readonly sink: string;
  readonly position: Position;
  /** When it was stored, in ms since the epoch. */
  readonly storedAtMs: number;
}

/**
 * Keeps positions for sinks that cannot hold them, and knows which process runs a pipeline. A position is saved after
 * the sink has acknowledged.
 */
export interface OffsetsStore extends AsyncDisposable {
  load(pipeline: string, sink: string): Promise<Position | null>;
  save(pipeline: string, sink: string, position: Position): Promise<void>;
  /** All positions, or those of one pipeline. */
  list(pipeline?: string): Promise<readonly StoredOffset[]>;
  /** Forgets a position; true when there was one. */
  reset(pipeline: string, sink?: string): Promise<boolean>;
  /**
   * Makes this process the owner of a pipeline, until the lease is released or the process is gone.
   * @throws TailraceError `PIPELINE_OWNED` that names the owner
   */
  own(pipeline: string, signal: AbortSignal): Promise<Lease>;
}
