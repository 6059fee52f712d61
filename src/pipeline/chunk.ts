import type { Position, SourceBatch, Transaction } from '../kit/index.js';

/** What one pull brought: whole batches of the log, not decoded yet, and the position behind them. */
export interface Chunk {
  readonly batches: readonly SourceBatch[];
  /** Counted records of the batches. */
  readonly records: number;
  /** Null when the chunk holds nothing that moves a position. */
  readonly position: Position | null;
  /** Bytes of the source. */
  readonly byteLength: number;
  /** What it takes of the credit until it is settled: about the memory that it holds. */
  readonly creditBytes: number;
  /** When the source gave it, by the pipeline's clock, in ms. */
  readonly pulledAtMs: number;
}

/** Chunks that are written as one unit, decoded. */
export interface ChunkGroup {
  readonly chunks: readonly Chunk[];
  readonly transactions: readonly Transaction[];
  /** That of the last chunk that has one. */
  readonly position: Position | null;
  readonly byteLength: number;
}
