import type { Position, Transaction } from '../kit/index.js';

/** What one pull brought, decoded: whole transactions, and the position behind them. */
export interface Chunk {
  readonly transactions: readonly Transaction[];
  /** Null when the chunk holds nothing that moves a position. */
  readonly position: Position | null;
  /** Bytes of the source. */
  readonly byteLength: number;
  /** What it takes of the credit until it is settled: about the memory that it holds. */
  readonly creditBytes: number;
  /** When the source gave it, by the pipeline's clock, in ms. */
  readonly pulledAtMs: number;
}
