import type { Position } from '../kit/index.js';

/** The position of one sink of one pipeline. */
export interface StoredOffset {
  readonly pipeline: string;
  readonly sink: string;
  readonly position: Position;
  /** When it was stored, in ms since the epoch. */
  readonly storedAtMs: number;
}

/** Keeps positions for sinks that cannot hold them. A position is saved after the sink has acknowledged. */
export interface OffsetsStore extends AsyncDisposable {
  load(pipeline: string, sink: string): Promise<Position | null>;
  save(pipeline: string, sink: string, position: Position): Promise<void>;
  list(): Promise<readonly StoredOffset[]>;
  /** Forgets a position; true when there was one. */
  reset(pipeline: string, sink?: string): Promise<boolean>;
}
