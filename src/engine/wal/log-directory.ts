import { closeSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { TailraceError } from '../../errors/index.js';
import { batchCount, batchSequence } from '../../write-batch/index.js';
import { LogReader } from './log-reader.js';
import { requireSealed, requireSealedFiles } from './sealed-files.js';
import { listSegmentFiles, type SegmentFile } from './segment.js';
import { readSeals } from './segment-seals.js';
import {
  damaged,
  gap,
  openForReading,
  requireFirstSequence,
  requireHeader,
  scanSegment,
} from './wal-scan.js';

/** A batch of a log file, and where it stands. `bytes` is borrowed until the next one is read. */
export interface LoggedBatch {
  readonly bytes: Buffer;
  readonly sequence: number;
  readonly count: number;
  readonly path: string;
  readonly offset: number;
}

/** What is in one log file. */
export interface SegmentSummary extends SegmentFile {
  readonly batches: number;
  readonly records: number;
  /** 0 when the file holds no batch. */
  readonly firstSequence: number;
  readonly lastSequence: number;
  /** Bytes behind the last whole record, and why they are no record. */
  readonly tornBytes: number;
  readonly tornReason?: string;
}

/**
 * The folder with the log files of what `path` names: a store of ours, the data directory of a Kvrocks, which keeps its
 * database in the folder `db`, or a directory of log files alone.
 * @throws TailraceError `FILE_INACCESSIBLE` when it is none of these
 */
export const findLogDirectory = (path: string): string => {
  const inner = join(path, 'db');
  const directory = existsSync(join(inner, 'CURRENT')) ? inner : path;
  const isStore = ['IDENTITY', 'CURRENT'].some((file) => existsSync(join(directory, file)));
  if (isStore || listSegmentFiles(directory).length > 0) return directory;
  throw new TailraceError('FILE_INACCESSIBLE', `${path} has no log files`, {
    context: { directory: path },
    remedy:
      'Name the directory of a store, the data directory of a Kvrocks, or one that holds files NNNNNN.log.',
  });
};

/**
 * Reads each log file of a directory whole, ours or another store's, and checks every record, the contiguity of the
 * batches and, of a store of ours, that each finished segment is there as it was sealed.
 * @throws TailraceError `WAL_CORRUPT` | `WAL_GAP` | `FILE_INACCESSIBLE`
 */
export function* summariseLog(directory: string): Generator<SegmentSummary> {
  let expected = 0;
  const seals = readSeals(directory); // before the files: a writer beside us seals what it has written
  const files = listSegmentFiles(directory);
  requireSealedFiles(seals, files, directory);
  for (const [position, file] of files.entries()) {
    let records = 0;
    let firstSequence = 0;
    const end = scanSegment(file, expected, (_bytes, sequence, count) => {
      if (firstSequence === 0) firstSequence = sequence;
      records += count;
    });
    const seal = seals.find(({ number }) => number === file.number);
    requireSealed(seal, file, end);
    if (end.tornReason !== undefined && !isContinued(files.slice(position + 1), end.nextSequence))
      throw damaged(file.path, end.validBytes, end.tornReason);
    expected = end.nextSequence;
    yield {
      ...file,
      batches: end.batches,
      records,
      firstSequence,
      lastSequence: firstSequence === 0 ? 0 : end.nextSequence - 1,
      tornBytes: file.sizeBytes - end.validBytes,
      ...(end.tornReason === undefined ? {} : { tornReason: end.tornReason }),
    };
  }
}

/**
 * Follows the log files of a directory that another process writes, such as a Kvrocks' data directory: batch by
 * batch, file by file, `archive/` included. A file that ends inside a record is one that is still being written:
 * `next` answers undefined then, and reads on from the record's start when called again.
 */
export class LogDirectoryReader {
  readonly #directory: string;
  #current: SegmentFile | undefined;
  #reader: LogReader | undefined;
  #fd = -1;
  #expected = 0;
  #from: number;

  /**
   * Starts at the batch that contains or follows `from`; 0 = at the first there is.
   * @throws `WAL_PURGED` when the files begin later.
   */
  constructor(directory: string, from: number) {
    this.#directory = directory;
    this.#from = from;
    this.#enter(this.#fileOf(from));
  }

  /** The next batch, or undefined when there is none yet. @throws `WAL_CORRUPT` | `WAL_GAP` | `WAL_PURGED` */
  next(): LoggedBatch | undefined {
    for (;;) {
      if (this.#reader === undefined) {
        this.#enter(this.#fileOf(this.#from));
        if (this.#reader === undefined) return undefined;
      }
      const reader: LogReader = this.#reader;
      const read = reader.next();
      if (read === 'record') {
        const batch = this.#accept(reader);
        if (batch !== undefined) return batch;
        continue;
      }
      const following = this.#following();
      if (following === undefined) {
        if (read === 'damaged') throw damaged(reader.path, reader.offset, reader.reason);
        return undefined;
      }
      // Nothing is added to a file once its successor exists; look once more for what came in between.
      const left = reader.next();
      if (left === 'record') {
        const batch = this.#accept(reader);
        if (batch !== undefined) return batch;
        continue;
      }
      if (left !== 'end' && !isContinued([following], this.#expected))
        throw damaged(
          reader.path,
          reader.offset,
          left === 'damaged' ? reader.reason : 'the file ends inside a record',
        );
      this.#enter(following);
    }
  }

  /** Resolves after a short while in which the writer may have gone on. */
  waitForMore(signal: AbortSignal, pollMs = 50): Promise<void> {
    return delay(pollMs, undefined, { signal });
  }

  close(): void {
    if (this.#fd >= 0) closeSync(this.#fd);
    this.#fd = -1;
    this.#reader = undefined;
  }

  #accept(reader: LogReader): LoggedBatch | undefined {
    const bytes = reader.payload;
    requireHeader(bytes, reader.path, reader.offset);
    const sequence = batchSequence(bytes);
    const count = batchCount(bytes);
    if (this.#expected !== 0 && sequence !== this.#expected)
      throw gap(reader.path, reader.offset, this.#expected, sequence);
    if (this.#expected === 0 && this.#from > 0 && sequence > this.#from)
      throw purged(this.#directory, this.#from, sequence);
    this.#expected = sequence + count;
    if (sequence + Math.max(count, 1) - 1 < this.#from) return undefined;
    this.#from = Math.max(this.#from, sequence + count);
    return { bytes, sequence, count, path: reader.path, offset: reader.offset };
  }

  /** The newest file whose first batch is not behind `sequence`; the oldest one with a batch otherwise. */
  #fileOf(sequence: number): SegmentFile | undefined {
    let found: SegmentFile | undefined;
    for (const file of listSegmentFiles(this.#directory)) {
      const first = requireFirstSequence(file);
      if (first === 0) continue;
      if (found !== undefined && first > sequence) break;
      found = file;
    }
    return found;
  }

  #following(): SegmentFile | undefined {
    const number = this.#current?.number ?? 0;
    return listSegmentFiles(this.#directory).find(
      (file) => file.number > number && requireFirstSequence(file) > 0,
    );
  }

  #enter(file: SegmentFile | undefined): void {
    this.close();
    this.#current = file;
    if (file === undefined) return;
    this.#fd = openForReading(file.path);
    this.#reader = new LogReader(this.#fd, file.path, file.number);
  }
}

/**
 * True when no batch was lost by a torn end: later files hold none, or their first is the one expected. A RocksDB that
 * was killed inside a write goes on in a new file at the sequence number of the write that was lost.
 */
const isContinued = (later: readonly SegmentFile[], expected: number): boolean => {
  const first = later.map(requireFirstSequence).find((sequence) => sequence > 0);
  return first === undefined || first === expected;
};

const purged = (directory: string, wanted: number, first: number): TailraceError =>
  new TailraceError(
    'WAL_PURGED',
    `sequence number ${wanted} is no longer in the log files of ${directory}, which begin at ${first}`,
    {
      context: { directory, wanted, first },
      remedy: 'Start from the beginning of what is there, or take a new snapshot of the source.',
    },
  );
