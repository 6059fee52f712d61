import { join } from 'node:path';
import { codeOf, isTailraceError, messageOf, TailraceError } from '../../errors/index.js';
import { type Files, inaccessible, nodeFiles } from '../../files/index.js';
import { batchCount, batchSequence } from '../../write-batch/index.js';
import type { SyncMode } from '../engine-api.js';
import { LogFile } from './log-file.js';
import { LogFramer } from './log-framer.js';
import {
  finishRecovery,
  type RecoveredSegments,
  type Recovery,
  recoverSegments,
} from './recover-segments.js';
import { segmentName, type WalSegment } from './segment.js';
import { SegmentIndex } from './segment-index.js';
import { SegmentSeals } from './segment-seals.js';
import { SequenceWaiters } from './sequence-waiters.js';
import { type BatchVisitor, gap } from './wal-scan.js';

/** How the log is synced and cut into segments. */
export interface WalOptions {
  readonly sync: SyncMode;
  /** Time between syncs in mode `interval`, in ms. */
  readonly syncIntervalMs: number;
  /** A segment that has reached this size is finished and the next one begun. */
  readonly segmentBytes: number;
  readonly isReadOnly: boolean;
  readonly files?: Files;
  /** Batches up to this sequence number need not be visited: finished segments with nothing behind it are not read. */
  readonly replayAfter?: number;
}

interface PendingWrite {
  readonly segment: WalSegment;
  readonly isNewSegment: boolean;
  readonly framer: LogFramer;
  lastSequence: number;
}

/**
 * The write-ahead log of one store: segments in RocksDB's log format.
 *
 * Invariants. Batches are contiguous: each one's sequence follows its predecessor's last. `durableSequence` never
 * runs ahead of what the sync mode promises, and readers see nothing behind it. The first failed write or sync ends the
 * log's life.
 *
 * Group commit: batches that arrive while a write is running, and in mode `always` its sync, wait in memory and share the
 * next.
 */
export class Wal implements AsyncDisposable {
  readonly directory: string;
  readonly recovery: Recovery;
  readonly #options: WalOptions;
  readonly #files: Files;
  readonly #seals: SegmentSeals;
  readonly #segments: WalSegment[];
  readonly #spareFramers: LogFramer[] = [];
  readonly #file: LogFile;
  readonly #waiters = new SequenceWaiters();
  /** The same by how many bytes were written since the start. */
  readonly #placeWaiters = new SequenceWaiters();
  readonly #durableListeners = new Set<() => void>();
  #pending: PendingWrite[] = [];
  #pendingBytes = 0;
  #writtenTotal = 0;
  #nextSequence: number;
  #durableSequence: number;
  #nextSegmentNumber: number;
  #isAppendable = false;
  /** Bytes of the newest segment that are written or being written. */
  #writtenBytes = 0;
  #isFlushing = false;
  #isFlushScheduled = false;
  #intervalTimer: NodeJS.Timeout | undefined;
  #failure: TailraceError | undefined;
  #closing: Promise<void> | undefined;

  /**
   * Opens the log of a directory, reading every batch of it in order (`visit`). A torn tail of the newest segment is
   * cut; anything else that is not intact is an error that names file and offset.
   * @throws TailraceError `WAL_CORRUPT` | `WAL_GAP` | `FILE_INACCESSIBLE`
   */
  static async open(directory: string, options: WalOptions, visit: BatchVisitor): Promise<Wal> {
    const files = options.files ?? nodeFiles;
    const seals = new SegmentSeals(directory, files);
    const recovered = recoverSegments(directory, seals, options.replayAfter ?? 0, visit);
    if (!options.isReadOnly) await finishRecovery(recovered, files, seals);
    return new Wal(directory, options, files, seals, recovered);
  }

  private constructor(
    directory: string,
    options: WalOptions,
    files: Files,
    seals: SegmentSeals,
    { segments, nextSequence, recovery }: RecoveredSegments,
  ) {
    this.directory = directory;
    this.recovery = recovery;
    this.#options = options;
    this.#files = files;
    this.#seals = seals;
    this.#segments = segments;
    this.#nextSequence = nextSequence;
    this.#durableSequence = nextSequence - 1;
    this.#nextSegmentNumber = (segments.at(-1)?.number ?? 0) + 1;
    this.#file = new LogFile(files, seals, options.sync, nextSequence - 1, (cause) =>
      this.#failWriting(cause),
    );
    if (options.sync === 'interval' && !options.isReadOnly)
      this.#intervalTimer = setInterval(() => this.#file.syncSoon(), options.syncIntervalMs).unref();
  }

  /** Sequence number that the next batch must carry. */
  get nextSequence(): number {
    return this.#nextSequence;
  }

  /** Last sequence number that readers may see. */
  get durableSequence(): number {
    return this.#durableSequence;
  }

  /** Last sequence number that is on disk, whatever the sync mode. */
  get syncedSequence(): number {
    return this.#file.syncedSequence;
  }

  /** Sequence number of the oldest batch in the log; `nextSequence` when it is empty. */
  get firstSequence(): number {
    return this.#segments.find((segment) => segment.firstSequence > 0)?.firstSequence ?? this.#nextSequence;
  }

  /** Bytes that wait to be written. */
  get pendingBytes(): number {
    return this.#pendingBytes;
  }

  get segments(): readonly WalSegment[] {
    return this.#segments;
  }

  /** The error that ended this log's life, if there was one. */
  get failure(): TailraceError | undefined {
    return this.#failure;
  }

  /**
   * Takes a batch whose header holds `sequence`, which must be `nextSequence`, and `count`. Synchronous: it is written
   * soon, with whatever else arrives. The bytes are copied.
   * @throws TailraceError `STORE_FAILED` after a failed write or sync | `WAL_GAP`
   */
  append(batch: Uint8Array, sequence = batchSequence(batch), count = batchCount(batch)): void {
    if (this.#failure !== undefined) throw this.#failure;
    if (sequence !== this.#nextSequence) throw gap(this.directory, 0, this.#nextSequence, sequence);
    const write = this.#writeInProgress();
    const before = write.framer.length;
    const offset = write.framer.append(batch);
    write.segment.index.add(sequence, offset);
    this.#nextSequence = sequence + count;
    write.lastSequence = this.#nextSequence - 1;
    write.segment.lastSequence = write.lastSequence;
    this.#pendingBytes += write.framer.length - before;
    this.#scheduleFlush();
  }

  /** Resolves when all batches up to `sequence` are as durable as the sync mode promises. */
  whenDurable(sequence: number): Promise<void> {
    if (sequence <= this.#durableSequence) return Promise.resolve();
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    return this.#waiters.until(sequence);
  }

  /** Writes and syncs all that was appended, whatever the sync mode. */
  sync(): Promise<void> {
    const sequence = this.#nextSequence - 1;
    if (this.#options.sync === 'always') return this.whenDurable(sequence);
    return this.syncUpTo(sequence);
  }

  /** Resolves when all batches up to `sequence` are on disk, whatever the sync mode. They are written at once. */
  syncUpTo(sequence: number): Promise<void> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    const synced = this.#file.whenSynced(sequence);
    void this.#guard(this.#flush());
    return synced;
  }

  /**
   * As `whenDurable` or, if `isSynced`, `sync`, of all that was appended: also of batches that count nothing, and have no
   * sequence number that could be waited for.
   */
  async whenAppendedIsDurable(isSynced: boolean): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#pendingBytes > 0) await this.#placeWaiters.until(this.#writtenTotal + this.#pendingBytes);
    if (isSynced) await this.#file.whenWrittenIsSynced();
  }

  /** Calls `listener` after each advance of `durableSequence`, and when the log closes or fails. */
  onDurable(listener: () => void): () => void {
    this.#durableListeners.add(listener);
    return () => this.#durableListeners.delete(listener);
  }

  get isClosed(): boolean {
    return this.#closing !== undefined;
  }

  /** Writes, syncs and seals what is there, then releases the files. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.#shutDown();
    return this.#closing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /**
   * Removes whole segments, oldest first, whose batches all lie before `sequence`; never the newest one.
   * Returns the names of the removed files.
   */
  async removeSegmentsBefore(sequence: number): Promise<string[]> {
    await this.#file.whenSealed(); // or a seal would come back that is dropped here
    const removed: string[] = [];
    try {
      while (this.#isOldestBefore(sequence)) removed.push(await this.#removeOldest());
    } catch (cause) {
      if (removed.length === 0) throw cause; // the next call tries again
    }
    if (removed.length === 0) return removed;
    try {
      await this.#files.syncDirectory(this.directory);
    } catch (cause) {
      throw inaccessible(this.directory, cause);
    }
    await this.#seals.dropBefore(this.#segments[0].number);
    return removed;
  }

  #isOldestBefore(sequence: number): boolean {
    const [oldest, next] = this.#segments;
    if (next === undefined) return false;
    return oldest.lastSequence < sequence && oldest.lastSequence <= this.#durableSequence;
  }

  /** Takes the segment out of the list first: who would read it is told that it is gone, not that there is no file. */
  async #removeOldest(): Promise<string> {
    const [segment] = this.#segments.splice(0, 1);
    try {
      await this.#files.remove(segment.path);
    } catch (cause) {
      if (codeOf(cause) !== 'ENOENT') {
        this.#segments.unshift(segment);
        throw inaccessible(segment.path, cause);
      }
    }
    return segment.path;
  }

  /** The write that the next batch joins: the last pending one, or a new one, in a new segment if the last is full. */
  #writeInProgress(): PendingWrite {
    const last = this.#pending.at(-1);
    if (last !== undefined && last.framer.endOffset < this.#options.segmentBytes) return last;
    const newest = this.#segments.at(-1);
    const endOffset = last?.framer.endOffset ?? this.#writtenBytes;
    const isNewSegment =
      !this.#isAppendable || newest === undefined || endOffset >= this.#options.segmentBytes;
    const segment = isNewSegment ? this.#beginSegment() : newest;
    const framer = this.#spareFramers.pop() ?? new LogFramer();
    framer.restart(isNewSegment ? 0 : endOffset);
    const write = { segment, isNewSegment, framer, lastSequence: this.#nextSequence - 1 };
    this.#pending.push(write);
    return write;
  }

  #beginSegment(): WalSegment {
    const number = this.#nextSegmentNumber++;
    const segment: WalSegment = {
      number,
      path: join(this.directory, segmentName(number)),
      index: new SegmentIndex(),
      firstSequence: this.#nextSequence,
      lastSequence: this.#nextSequence - 1,
      durableBytes: 0,
    };
    this.#segments.push(segment);
    this.#isAppendable = true;
    return segment;
  }

  #scheduleFlush(): void {
    if (this.#isFlushing || this.#isFlushScheduled || this.#failure !== undefined) return;
    this.#isFlushScheduled = true;
    // A turn of the event loop later: all connections that are readable now join this write.
    setImmediate(() => {
      this.#isFlushScheduled = false;
      void this.#guard(this.#flush());
    });
  }

  /** Writes what is pending, group after group, until nothing is; the one place from where the file is touched. */
  async #flush(): Promise<void> {
    if (this.#isFlushing || this.#failure !== undefined) return;
    this.#isFlushing = true;
    try {
      while (this.#failure === undefined && this.#pending.length > 0) {
        const group = this.#pending;
        this.#pending = [];
        this.#writtenBytes = group[group.length - 1].framer.endOffset;
        for (const write of group) await this.#writeOut(write);
      }
    } finally {
      this.#isFlushing = false;
    }
  }

  async #writeOut({ segment, isNewSegment, framer, lastSequence }: PendingWrite): Promise<void> {
    if (isNewSegment) await this.#file.begin(segment);
    await this.#file.write(framer.bytes, framer.fileOffset, lastSequence);
    this.#pendingBytes -= framer.length;
    this.#writtenTotal += framer.length;
    segment.durableBytes = framer.endOffset;
    if (framer.length <= maxSpareFramerBytes) this.#spareFramers.push(framer);
    this.#durableSequence = lastSequence;
    this.#waiters.reach(lastSequence);
    this.#placeWaiters.reach(this.#writtenTotal);
    this.#tellListeners();
  }

  #tellListeners(): void {
    for (const listener of [...this.#durableListeners]) listener();
  }

  /** Any failed file operation of the log is the end of it. */
  async #guard(work: Promise<void>): Promise<void> {
    try {
      await work;
    } catch (cause) {
      this.#failWriting(cause);
    }
  }

  #failWriting(cause: unknown): void {
    this.fail('writing the log', cause);
  }

  /** Ends the log's life: nothing more is taken, whoever waits is told. `what` failed. */
  fail(what: string, cause: unknown): void {
    if (this.#failure !== undefined) return;
    const reason = messageOf(cause);
    this.#failure = new TailraceError('STORE_FAILED', `${what} in ${this.directory} failed: ${reason}`, {
      context: { directory: this.directory, durableSequence: this.#durableSequence },
      remedy: isTailraceError(cause) ? cause.remedy : mendTheDisk,
      cause,
    });
    this.#pending = [];
    this.#waiters.fail(this.#failure);
    this.#placeWaiters.fail(this.#failure);
    this.#file.fail(this.#failure);
    this.#tellListeners();
  }

  async #shutDown(): Promise<void> {
    clearInterval(this.#intervalTimer);
    // Also after a failure: one of the data file may come while a segment is being written, or closed.
    while (
      this.#isFlushing ||
      (this.#failure === undefined && (this.#pending.length > 0 || this.#isFlushScheduled))
    )
      await new Promise((resolve) => setImmediate(resolve));
    if (this.#failure === undefined) await this.#guard(this.#file.finish());
    await this.#file.close();
    this.#tellListeners();
  }
}

/** A buffer that one huge batch made grow is not kept. */
const maxSpareFramerBytes = 8 * 1024 * 1024;

const mendTheDisk =
  'Mend the disk or free space, then restart: what was durable is kept, the rest is unknown.';
