import { crc32c } from '../bytes/index.js';
import { TailraceError } from '../errors/index.js';
import type { Position } from './position.js';
import type { SourceBatch } from './source.js';

/** The position of whoever has handled this batch, which must have counted records. */
export const positionOf = (batch: SourceBatch): Position => ({
  sequence: batch.sequence + batch.count - 1,
  count: batch.count,
  crc: crc32c(batch.bytes),
});

/** True when both name the same batch, or the same beginning. */
export const isSamePosition = (a: Position | null, b: Position | null): boolean =>
  a === b ||
  (a !== null && b !== null && a.sequence === b.sequence && a.count === b.count && a.crc === b.crc);

/** Throws unless `batch` is the very batch that `position` names. @throws `HISTORY_MISMATCH` */
export const requireSameHistory = (position: Position, batch: SourceBatch): void => {
  if (isSamePosition(position, positionOf(batch))) return;
  throw new TailraceError(
    'HISTORY_MISMATCH',
    `the source has another batch at sequence number ${position.sequence} than the one this pipeline handled`,
    {
      context: { sequence: position.sequence },
      remedy:
        'The source was restored or failed over: start again from a new snapshot, or reset the position.',
    },
  );
};

/**
 * Checks that batches follow each other without a gap. Batches without counted records share the sequence number
 * of the next one. `expected` is what the next batch must have; undefined accepts any first batch.
 */
export class ContiguityCheck {
  #expected: number | undefined;

  constructor(expected?: number) {
    this.#expected = expected;
  }

  get expected(): number | undefined {
    return this.#expected;
  }

  /** @throws TailraceError `WAL_GAP` */
  accept(sequence: number, count: number): void {
    if (this.#expected !== undefined && sequence !== this.#expected)
      throw new TailraceError(
        'WAL_GAP',
        `expected sequence number ${this.#expected} but the source sent ${sequence}`,
        {
          context: { expected: this.#expected, found: sequence },
          remedy: 'Changes are missing at the source: start again from a new snapshot.',
        },
      );
    this.#expected = sequence + count;
  }
}
