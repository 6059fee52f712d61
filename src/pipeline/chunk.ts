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
  /** The credit that it takes until it is settled: about the memory that it holds, in bytes. */
  readonly creditBytes: number;
  /** When the source gave it, by the pipeline's clock, in ms. */
  readonly pulledAtMs: number;
}

/** Chunks that are written as one unit, decoded. */
export interface ChunkGroup {
  readonly chunks: readonly Chunk[];
  readonly transactions: readonly Transaction[];
  /** The position of the last chunk that has one. */
  readonly position: Position | null;
  readonly byteLength: number;
}
