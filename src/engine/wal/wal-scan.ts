import { closeSync, existsSync, fstatSync, openSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { TailraceError } from '../../errors/index.js';
import { inaccessible } from '../../files/index.js';
import { batchCount, batchHeaderBytes, batchSequence } from '../../write-batch/index.js';
import { blockBytes } from './log-format.js';
import { LogReader } from './log-reader.js';
import { archiveOf, type SegmentFile } from './segment.js';

/** How the reading of a segment ended. */
export interface SegmentEnd {
  /** File offset behind the last whole record. */
  readonly validBytes: number;
  /** Sequence number that the next batch must have; 0 when nothing is known yet. */
  readonly nextSequence: number;
  readonly batches: number;
  /** Set when bytes follow that are no record, but may be a torn tail: nothing intact stands behind them. */
  readonly tornReason?: string;
}

/** What a scan tells of each batch. `bytes` is borrowed until the visitor returns. */
export type BatchVisitor = (bytes: Buffer, sequence: number, count: number, offset: number) => void;

/**
 * Reads a whole segment, checking that every record is intact and that each batch continues its predecessor.
 * `expected` is the sequence number that the first batch must have (0 = any).
 * @throws TailraceError `WAL_CORRUPT` for damage that has intact records behind it; `WAL_GAP`; `BATCH_CORRUPT`
 */
export const scanSegment = (file: SegmentFile, expected: number, visit: BatchVisitor): SegmentEnd => {
  const fd = openForReading(file.path);
  try {
    const reader = new LogReader(fd, file.path, file.number);
    let nextSequence = expected;
    let batches = 0;
    for (;;) {
      const read = reader.next();
      if (read === 'record') {
        const { payload, offset } = reader;
        requireHeader(payload, file.path, offset);
        const sequence = batchSequence(payload);
        const count = batchCount(payload);
        if (nextSequence !== 0 && sequence !== nextSequence)
          throw gap(file.path, offset, nextSequence, sequence);
        visit(payload, sequence, count, offset);
        nextSequence = sequence + count;
        batches++;
        continue;
      }
      const validBytes = reader.position;
      const size = fstatSync(fd).size;
      const end = { validBytes, nextSequence, batches };
      if (read === 'end' && validBytes >= size) return end;
      const reason =
        read === 'damaged'
          ? reader.reason
          : read === 'incomplete'
            ? 'the file ends inside a record'
            : 'zeros';
      if (reader.hasIntactRecordBehind(size)) throw damaged(file.path, validBytes, reason);
      return { ...end, tornReason: reason };
    }
  } finally {
    closeSync(fd);
  }
};

/** Sequence number of a file's first batch; 0 when it has none yet. */
export const firstSequenceOf = (file: SegmentFile): number => {
  const fd = openForReading(file.path);
  try {
    // A block, not many: a store may have hundreds of files that are only looked into.
    const reader = new LogReader(fd, file.path, file.number, 0, blockBytes);
    if (reader.next() !== 'record') return 0;
    requireHeader(reader.payload, file.path, reader.offset);
    return batchSequence(reader.payload);
  } finally {
    closeSync(fd);
  }
};

/**
 * As `firstSequenceOf`, for who follows files and must not take one whose beginning is damaged for one that is still
 * empty. @throws TailraceError `WAL_CORRUPT` for damage that has intact records behind it
 */
export const requireFirstSequence = (file: SegmentFile): number => {
  const first = firstSequenceOf(file);
  if (first === 0) scanSegment(file, 0, () => undefined);
  return first;
};

/** Of a file that a RocksDB moved to `archive/` since it was listed, there. @throws TailraceError `FILE_INACCESSIBLE` */
export const openForReading = (path: string): number => {
  try {
    return openSync(path, 'r');
  } catch (cause) {
    const archived = join(archiveOf(dirname(path)), basename(path));
    if (existsSync(archived)) return openForReading(archived);
    throw inaccessible(path, cause);
  }
};

export const damaged = (file: string, offset: number, reason: string): TailraceError =>
  new TailraceError('WAL_CORRUPT', `damage in ${file} at offset ${offset}: ${reason}`, {
    context: { file, offset, reason },
    remedy: 'Restore the file from a backup; nothing behind this place can be trusted.',
  });

export const gap = (file: string, offset: number, expected: number, found: number): TailraceError =>
  new TailraceError(
    'WAL_GAP',
    `${file} at offset ${offset}: expected sequence number ${expected} but found ${found}`,
    {
      context: { file, offset, expected, found },
      remedy: 'A log file is missing, or files of different stores were mixed.',
    },
  );

/** A log record that is too short for a batch, or whose sequence number is out of range, is damage. */
export const requireHeader = (payload: Uint8Array, file: string, offset: number): void => {
  if (payload.length < batchHeaderBytes || Number.isNaN(batchSequence(payload)))
    throw damaged(file, offset, 'a record that is no write batch');
};
