import { join } from 'node:path';
import { TailraceError } from '../../errors/index.js';
import { type Files, nodeFiles } from '../../files/index.js';
import { batchCount, batchSequence } from '../../write-batch/index.js';
import type { SyncMode } from '../engine-api.js';
import { LogFramer } from './log-framer.js';
import { listSegmentFiles, type SegmentFile, segmentName } from './segment.js';
import { SegmentIndex } from './segment-index.js';
import { type Seal, SegmentSeals } from './segment-seals.js';
import { type BatchVisitor, damaged, firstSequenceOf, gap, scanSegment } from './wal-scan.js';

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
  /** Called after each segment that was visited, except the newest one. */
  readonly afterSegment?: () => Promise<void>;
}

/** A segment of the open log. */
export interface WalSegment {
  readonly number: number;
  readonly path: string;
  readonly index: SegmentIndex;
  readonly firstSequence: number;
  /** Last sequence number in it; `firstSequence - 1` while it holds none. */
  lastSequence: number;
  /** Bytes that log readers may read. */
  durableBytes: number;
}

/** What opening found and did. */
export interface Recovery {
  readonly batches: number;
  /** The torn tail that was cut, if there was one. */
  readonly cut?: {
    readonly file: string;
    readonly offset: number;
    readonly bytes: number;
    readonly reason: string;
  };
}

interface PendingWrite {
  readonly segment: WalSegment;
  readonly isNewSegment: boolean;
  readonly framer: LogFramer;
  lastSequence: number;
}

interface Waiter {
  readonly sequence: number;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/**
 * The write-ahead log of one store: segments in RocksDB's log format.
 *
 * Invariants. Batches are contiguous: each one's sequence follows its predecessor's last. `durableSequence` never
 * runs ahead of what the sync mode promises, and readers see nothing behind it. A segment is synced and sealed
 * before the first byte of the next one is written, so a crash can only cut a suffix. The first failed write or
 * sync ends the log's life: a second sync after a failed one may succeed although data is gone, so none is tried.
 *
 * Group commit: batches that arrive while a write (and its sync) is running wait in memory and share the next.
 */
export class Wal implements AsyncDisposable {
  readonly directory: string;
  readonly recovery: Recovery;
  readonly #options: WalOptions;
  readonly #files: Files;
  readonly #seals: SegmentSeals;
  readonly #segments: WalSegment[];
  readonly #spareFramers: LogFramer[] = [];
  readonly #durableListeners = new Set<() => void>();
  #pending: PendingWrite[] = [];
  #pendingBytes = 0;
  #waiters: Waiter[] = [];
  #nextSequence: number;
  #durableSequence: number;
  #nextSegmentNumber: number;
  #isAppendable = false;
  /** Bytes of the newest segment that are written or being written. */
  #writtenBytes = 0;
  /** Last sequence number that is known to be on disk, whatever the sync mode. */
  #syncedSequence: number;
  #syncWaiters: Waiter[] = [];
  #isSyncDue = false;
  #fd = -1;
  #isFlushing = false;
  #isFlushScheduled = false;
  #hasUnsynced = false;
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
    const segments: WalSegment[] = [];
    const found = listSegmentFiles(directory);
    const replayAfter = options.replayAfter ?? 0;
    let nextSequence = 0;
    let batches = 0;
    let cut: Recovery['cut'];
    for (const [position, file] of found.entries()) {
      const isNewest = position === found.length - 1;
      const index = new SegmentIndex();
      const seal = seals.get(file.number);
      if (seal !== undefined && seal.lastSequence <= replayAfter && seal.sizeBytes === file.sizeBytes) {
        const segment = skippedSegment(file, seal, nextSequence);
        nextSequence = segment.lastSequence + 1;
        segments.push(segment);
        continue;
      }
      let firstSequence = nextSequence;
      const end = scanSegment(file, nextSequence, (bytes, sequence, count, offset) => {
        if (firstSequence === 0) firstSequence = sequence;
        index.add(sequence, offset);
        if (sequence <= replayAfter) return;
        visit(bytes, sequence, count, offset);
        batches++;
      });
      if (seal !== undefined && (end.validBytes !== seal.sizeBytes || end.validBytes !== file.sizeBytes))
        throw damaged(
          file.path,
          end.validBytes,
          end.tornReason ?? `the file was sealed with ${seal.sizeBytes} bytes`,
        );
      if (end.tornReason !== undefined && !isNewest) throw damaged(file.path, end.validBytes, end.tornReason);
      if (end.tornReason !== undefined)
        cut = {
          file: file.path,
          offset: end.validBytes,
          bytes: file.sizeBytes - end.validBytes,
          reason: end.tornReason,
        };
      nextSequence = end.nextSequence;
      const lastSequence = nextSequence === 0 ? 0 : nextSequence - 1;
      segments.push({
        number: file.number,
        path: file.path,
        index,
        firstSequence,
        lastSequence,
        durableBytes: end.validBytes,
      });
      if (!isNewest) await options.afterSegment?.();
    }
    requireSealedFiles(seals, found, directory);
    const recovery = cut === undefined ? { batches } : { batches, cut };
    const wal = new Wal(
      directory,
      options,
      files,
      seals,
      segments,
      nextSequence === 0 ? replayAfter + 1 : nextSequence,
      recovery,
    );
    if (!options.isReadOnly) await wal.#finishRecovery();
    return wal;
  }

  private constructor(
    directory: string,
    options: WalOptions,
    files: Files,
    seals: SegmentSeals,
    segments: WalSegment[],
    nextSequence: number,
    recovery: Recovery,
  ) {
    this.directory = directory;
    this.recovery = recovery;
    this.#options = options;
    this.#files = files;
    this.#seals = seals;
    this.#segments = segments;
    this.#nextSequence = nextSequence;
    this.#durableSequence = nextSequence - 1;
    this.#syncedSequence = nextSequence - 1;
    this.#nextSegmentNumber = (segments.at(-1)?.number ?? 0) + 1;
    if (options.sync === 'interval' && !options.isReadOnly) {
      this.#intervalTimer = setInterval(() => {
        this.#isSyncDue = this.#hasUnsynced;
        if (this.#isSyncDue) this.#scheduleFlush();
      }, options.syncIntervalMs);
      this.#intervalTimer.unref();
    }
  }

  /** Sequence number that the next batch must carry. */
  get nextSequence(): number {
    return this.#nextSequence;
  }

  /** Last sequence number that readers may see. */
  get durableSequence(): number {
    return this.#durableSequence;
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
   * Takes a batch whose header holds `sequence`, which must be `nextSequence`, and `count`. Synchronous: it is written soon, with whatever else arrives.
   * The bytes are copied.
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
    return new Promise((resolve, reject) => {
      this.#waiters.push({ sequence, resolve, reject });
    });
  }

  /** Writes and syncs all that was appended, whatever the sync mode. */
  sync(): Promise<void> {
    const sequence = this.#nextSequence - 1;
    if (this.#options.sync === 'always') return this.whenDurable(sequence);
    if (sequence <= this.#syncedSequence) return Promise.resolve();
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    return new Promise((resolve, reject) => {
      this.#syncWaiters.push({ sequence, resolve, reject });
      this.#scheduleFlush();
    });
  }

  /** Resolves when all batches up to `sequence` are on disk, whatever the sync mode. */
  async syncUpTo(sequence: number): Promise<void> {
    if (sequence > this.#syncedSequence) await this.sync();
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
    const removable: WalSegment[] = [];
    for (let i = 0; i + 1 < this.#segments.length; i++) {
      const segment = this.#segments[i];
      if (segment.lastSequence >= sequence || segment.lastSequence > this.#durableSequence) break;
      removable.push(segment);
    }
    if (removable.length === 0) return [];
    this.#segments.splice(0, removable.length);
    for (const segment of removable) await this.#files.remove(segment.path);
    await this.#files.syncDirectory(this.directory);
    await this.#seals.drop(removable.map((segment) => segment.number));
    return removable.map((segment) => segment.path);
  }

  /** Cuts the torn tail and seals the newest segment: a new one is begun rather than appending behind a tail. */
  async #finishRecovery(): Promise<void> {
    const newest = this.#segments.at(-1);
    if (newest === undefined || this.#seals.get(newest.number) !== undefined) return;
    const fd = await this.#files.open(newest.path, 'r+');
    try {
      if (this.recovery.cut !== undefined) await this.#files.truncate(fd, newest.durableBytes);
      await this.#files.datasync(fd);
    } finally {
      await this.#files.close(fd);
    }
    await this.#seal(newest);
  }

  #seal(segment: WalSegment): Promise<void> {
    return this.#seals.add({
      number: segment.number,
      sizeBytes: segment.durableBytes,
      lastSequence: segment.lastSequence,
    });
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
      while (this.#failure === undefined && (this.#pending.length > 0 || this.#isSyncWanted())) {
        const group = this.#pending;
        this.#pending = [];
        const last = group.at(-1);
        if (last !== undefined) this.#writtenBytes = last.framer.endOffset;
        for (const write of group) await this.#writeOut(write);
        // Inside the loop: under steady load there is always more to write.
        if (this.#isSyncWanted()) await this.#syncOpenSegment();
      }
    } finally {
      this.#isFlushing = false;
    }
  }

  async #writeOut(write: PendingWrite): Promise<void> {
    if (write.isNewSegment) await this.#switchTo(write.segment);
    const { framer, segment } = write;
    await this.#files.write(this.#fd, framer.bytes, framer.fileOffset);
    this.#hasUnsynced = true;
    if (this.#options.sync === 'always') await this.#syncOpenSegment();
    this.#pendingBytes -= framer.length;
    segment.durableBytes = framer.endOffset;
    if (framer.length <= maxSpareFramerBytes) this.#spareFramers.push(framer);
    this.#durableSequence = write.lastSequence;
    this.#wake();
  }

  /** Finishes the open segment before the first byte of the next: a crash can only cut a suffix of the log. */
  async #switchTo(segment: WalSegment): Promise<void> {
    if (this.#fd >= 0) {
      await this.#syncOpenSegment();
      await this.#files.close(this.#fd);
      this.#fd = -1;
      const finished = this.#segments[this.#segments.indexOf(segment) - 1];
      if (finished !== undefined) await this.#seal(finished);
    }
    this.#fd = await this.#files.open(segment.path, 'wx+');
    await this.#files.syncDirectory(this.directory);
  }

  #isSyncWanted(): boolean {
    return this.#hasUnsynced && (this.#isSyncDue || this.#syncWaiters.length > 0);
  }

  async #syncOpenSegment(): Promise<void> {
    const written = this.#durableSequence;
    await this.#files.datasync(this.#fd);
    this.#hasUnsynced = false;
    this.#isSyncDue = false;
    this.#syncedSequence = written;
    const waiters = this.#syncWaiters;
    this.#syncWaiters = [];
    for (const waiter of waiters) {
      if (waiter.sequence <= written) waiter.resolve();
      else this.#syncWaiters.push(waiter);
    }
  }

  #wake(): void {
    const durable = this.#durableSequence;
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const waiter of waiters) {
      if (waiter.sequence <= durable) waiter.resolve();
      else this.#waiters.push(waiter);
    }
    for (const listener of [...this.#durableListeners]) listener();
  }

  /** Any failed file operation of the log is the end of it. */
  async #guard(work: Promise<void>): Promise<void> {
    try {
      await work;
    } catch (cause) {
      this.fail('writing the log', cause);
    }
  }

  /** Ends the log's life: nothing more is taken, whoever waits is told. `what` failed. */
  fail(what: string, cause: unknown): void {
    if (this.#failure !== undefined) return;
    const reason = cause instanceof Error ? cause.message : String(cause);
    this.#failure = new TailraceError('STORE_FAILED', `${what} in ${this.directory} failed: ${reason}`, {
      context: { directory: this.directory, durableSequence: this.#durableSequence },
      remedy: 'Mend the disk or free space, then restart: what was durable is kept, the rest is unknown.',
      cause,
    });
    this.#pending = [];
    const waiters = [...this.#waiters, ...this.#syncWaiters];
    this.#waiters = [];
    this.#syncWaiters = [];
    for (const waiter of waiters) waiter.reject(this.#failure);
    for (const listener of [...this.#durableListeners]) listener();
  }

  async #shutDown(): Promise<void> {
    clearInterval(this.#intervalTimer);
    // Also after a failure: one of the data file may come while a segment is being written, or closed.
    while (
      this.#isFlushing ||
      (this.#failure === undefined && (this.#pending.length > 0 || this.#isFlushScheduled))
    )
      await new Promise((resolve) => setImmediate(resolve));
    if (this.#fd >= 0) {
      const newest = this.#segments.at(-1);
      if (this.#failure === undefined && newest !== undefined)
        await this.#guard(this.#syncOpenSegment().then(() => this.#seal(newest)));
      await this.#files.close(this.#fd);
      this.#fd = -1;
    }
    for (const listener of [...this.#durableListeners]) listener();
  }
}

/** A buffer that one huge batch made grow is not kept. */
const maxSpareFramerBytes = 8 * 1024 * 1024;

/** A finished segment that is not read: only where it begins is looked up. */
const skippedSegment = (file: SegmentFile, seal: Seal, expected: number): WalSegment => {
  const first = firstSequenceOf(file);
  if (expected !== 0 && first !== 0 && first !== expected) throw gap(file.path, 0, expected, first);
  return {
    number: file.number,
    path: file.path,
    index: new SegmentIndex(),
    firstSequence: first === 0 ? expected : first,
    lastSequence: seal.lastSequence,
    durableBytes: seal.sizeBytes,
  };
};

/** A sealed segment whose file is gone leaves a hole, unless it and all before it were removed on purpose. */
const requireSealedFiles = (seals: SegmentSeals, found: readonly SegmentFile[], directory: string): void => {
  const first = found[0]?.number ?? Number.POSITIVE_INFINITY;
  for (const seal of seals.all) {
    if (seal.number < first && found.length > 0) continue;
    if (found.some((file) => file.number === seal.number)) continue;
    throw damaged(join(directory, segmentName(seal.number)), 0, 'the sealed segment is missing');
  }
};
