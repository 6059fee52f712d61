import { closeSync, existsSync } from 'node:fs';
import { TailraceError } from '../../errors/index.js';
import { batchCount, batchSequence } from '../../write-batch/index.js';
import type { WalBatch, WalIterator } from '../engine-api.js';
import { LogReader } from './log-reader.js';
import type { WalSegment } from './segment.js';
import type { Wal } from './wal.js';
import { damaged, gap, openForReading, requireHeader } from './wal-scan.js';

/**
 * Walks the durable batches of an open log, from any sequence number on, through rotation, as they come.
 * At the tip it is not valid; `next` goes on when there is more, and `waitForMore` tells when.
 */
export class LiveWalIterator implements WalIterator {
  readonly item: WalBatch & { sequence: number; count: number; bytes: Buffer };
  readonly #wal: Wal;
  #segment: WalSegment | undefined;
  #reader: LogReader | undefined;
  #fd = -1;
  /** Sequence number that the next batch must have; 0 before the first one. */
  #expected = 0;
  /** Batches that end before this are passed over: they lie between an index entry and the start. */
  #from: number;
  #isValid = false;
  #isClosed = false;

  /** @param since last sequence number already handled. @throws `WAL_PURGED` | `WAL_SEQUENCE_AHEAD` */
  constructor(wal: Wal, since: number) {
    this.#wal = wal;
    this.#from = since + 1;
    this.item = { sequence: 0, count: 0, bytes: noBytes };
    this.seek(since + 1);
  }

  get valid(): boolean {
    return this.#isValid;
  }

  /** Goes to the batch that contains or follows `sequence`. */
  seek(sequence: number): void {
    this.#release();
    if (sequence > this.#wal.durableSequence + 1) throw ahead(sequence, this.#wal.durableSequence);
    if (sequence < this.#wal.firstSequence) throw purged(sequence, this.#wal.firstSequence);
    this.#from = sequence;
    this.#expected = 0;
    this.#segment = undefined;
    this.next();
  }

  next(): void {
    this.#isValid = false;
    this.item.bytes = noBytes; // at the tip it may stay so for long, and the batch may be a large one
    if (this.#isClosed) return;
    this.#segment ??= this.#segmentOf(this.#from);
    while (this.#segment !== undefined) {
      const reader = this.#openReader(this.#segment);
      const read = reader.next(this.#segment.durableBytes);
      if (read === 'record') {
        if (this.#accept(reader)) return;
        continue;
      }
      if (read === 'damaged') throw damaged(reader.path, reader.offset, reader.reason);
      if (reader.position < this.#segment.durableBytes)
        throw damaged(reader.path, reader.position, 'the log ends before what was durable');
      const following = this.#following(this.#segment);
      if (following === undefined) return;
      // What lay between may have been removed while we read the segment before it.
      if (following.firstSequence > this.#expected && this.#expected < this.#wal.firstSequence)
        throw purged(this.#expected, this.#wal.firstSequence);
      this.#release();
      this.#segment = following;
    }
  }

  async waitForMore(signal?: AbortSignal): Promise<boolean> {
    for (;;) {
      if (this.#isClosed || signal?.aborted) return false;
      if (this.#wal.durableSequence >= Math.max(this.#expected, this.#from)) return true;
      if (this.#wal.isClosed || this.#wal.failure !== undefined) return false;
      await this.#nextAdvance(signal);
    }
  }

  close(): void {
    this.#isClosed = true;
    this.#isValid = false;
    this.#wake?.();
    this.#release();
  }

  *[Symbol.iterator](): Generator<WalBatch> {
    try {
      for (; this.#isValid; this.next()) yield this.item;
    } finally {
      this.close();
    }
  }

  #wake: (() => void) | undefined;

  #nextAdvance(signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        this.#wake = undefined;
        stopListening();
        signal?.removeEventListener('abort', done);
        resolve();
      };
      const stopListening = this.#wal.onDurable(done);
      signal?.addEventListener('abort', done);
      this.#wake = done;
    });
  }

  /** Makes the record the current item, unless it lies before the start. */
  #accept(reader: LogReader): boolean {
    const bytes = reader.payload;
    requireHeader(bytes, reader.path, reader.offset);
    const sequence = batchSequence(bytes);
    const count = batchCount(bytes);
    if (this.#expected !== 0 && sequence !== this.#expected)
      throw gap(reader.path, reader.offset, this.#expected, sequence);
    this.#expected = sequence + count;
    if (sequence + Math.max(count, 1) - 1 < this.#from) return false;
    this.item.sequence = sequence;
    this.item.count = count;
    this.item.bytes = bytes;
    this.#isValid = true;
    return true;
  }

  #segmentOf(sequence: number): WalSegment | undefined {
    const { segments } = this.#wal;
    let found: WalSegment | undefined;
    for (const segment of segments) {
      if (segment.firstSequence > sequence && found !== undefined) break;
      if (segment.durableBytes > 0) found = segment;
    }
    return found;
  }

  #following(segment: WalSegment): WalSegment | undefined {
    const { segments } = this.#wal;
    // Our own place is not found when the segment was removed while we read it: then look from the oldest on.
    for (let i = segments.indexOf(segment) + 1; i < segments.length; i++)
      // A crash can leave a segment without a record: it is passed over.
      if (segments[i].number > segment.number && segments[i].durableBytes > 0) return segments[i];
    return undefined;
  }

  #openReader(segment: WalSegment): LogReader {
    if (this.#reader !== undefined) return this.#reader;
    const offset = this.#expected === 0 ? segment.index.offsetFor(this.#from) : 0;
    this.#fd = this.#openFile(segment);
    this.#reader = new LogReader(this.#fd, segment.path, segment.number, offset);
    return this.#reader;
  }

  /** The file may just have been removed, where this process only reads also by another. */
  #openFile(segment: WalSegment): number {
    try {
      return openForReading(segment.path);
    } catch (error) {
      if (existsSync(segment.path)) throw error;
      const first = this.#wal.segments.find(({ path }) => existsSync(path));
      throw purged(this.#expected || this.#from, first?.firstSequence ?? this.#wal.nextSequence);
    }
  }

  #release(): void {
    this.#reader = undefined;
    if (this.#fd >= 0) closeSync(this.#fd);
    this.#fd = -1;
  }
}

const ahead = (wanted: number, latest: number): TailraceError =>
  new TailraceError(
    'WAL_SEQUENCE_AHEAD',
    `sequence number ${wanted} is not written yet: the latest is ${latest}`,
    {
      context: { wanted, latest },
      remedy: 'The position belongs to another store, or the store lost its newest writes.',
    },
  );

const purged = (wanted: number, first: number): TailraceError =>
  new TailraceError(
    'WAL_PURGED',
    `sequence number ${wanted} is no longer in the log, which begins at ${first}`,
    {
      context: { wanted, first },
      remedy: 'Take a new snapshot of the source, and keep its log for longer.',
    },
  );

const noBytes = Buffer.alloc(0);
