import { join, resolve } from 'node:path';
import type { TailraceError } from '../errors/index.js';
import { nodeFiles, type ProcessLock } from '../files/index.js';
import { setBatchSequence, type WriteBatchBuilder } from '../write-batch/index.js';
import { CheckedBatch } from './checked-batch.js';
import { CheckpointPolicy, type Checkpoints, type StoreCheckpoints } from './checkpoints/index.js';
import { closeAll } from './close-all.js';
import { columnFamilyNames, unknownFamily } from './column-family.js';
import type {
  Commit,
  DataIterator,
  DataRange,
  Snapshot,
  Store,
  SyncMode,
  ValuePlace,
  WalIterator,
} from './engine-api.js';
import { closed, readOnly, tooLarge } from './engine-faults.js';
import { defaultMaxBatchBytes, type EngineOptions } from './engine-options.js';
import { type EngineStats, statsOf } from './engine-stats.js';
import { openBesideWriter } from './open-beside-writer.js';
import { openParts, type StoreParts } from './open-parts.js';
import { ConsumerSlots, defaultRetention, LogRetention, type RetentionState } from './retention/index.js';
import { SequenceTimes, type TimesFault } from './sequence-times.js';
import type { StoreData } from './store-data.js';
import type { StoreIdentity } from './store-identity.js';
import { LiveWalIterator, type Recovery, type Wal } from './wal/index.js';

/**
 * The embedded store: a write-ahead log in RocksDB's format, the newest data in memory, all older data in trees in a
 * data file. One process at a time writes a directory. Reads are synchronous and see every commit at once; the log's
 * readers see a batch when it is durable. Opening replays the log behind the last flush.
 *
 * @example
 * await using engine = await Engine.open('./store');
 * const batch = new WriteBatchBuilder().put(0, Buffer.from('key'), Buffer.from('value'));
 * const { last } = await engine.write(batch.finish());
 */
export class Engine implements Store, AsyncDisposable {
  readonly directory: string;
  readonly identity: StoreIdentity;
  readonly syncMode: SyncMode;
  readonly #wal: Wal;
  readonly #lock: ProcessLock | undefined;
  readonly #isReadOnly: boolean;
  readonly #maxBatchBytes: number;
  readonly #batch = new CheckedBatch();
  readonly #data: StoreData;
  readonly #checkpoints: StoreCheckpoints;
  #policy: CheckpointPolicy | undefined;
  readonly #times: SequenceTimes;
  readonly #retention: LogRetention | undefined;
  #sequence: number;
  #isClosed = false;
  #closing: Promise<void> | undefined;

  /**
   * Opens the store in a directory, which is made if it is missing, and rebuilds the data from the log.
   * @throws TailraceError `STORE_LOCKED` | `STORE_CORRUPT` | `STORE_FORMAT_UNKNOWN` | `STORE_CHANGED` | `WAL_CORRUPT` |
   *   `WAL_GAP` | `FILE_INACCESSIBLE`
   */
  static async open(path: string, options: EngineOptions = {}): Promise<Engine> {
    const directory = resolve(path);
    const open = (): Promise<Engine> => openParts(directory, options, (parts) => new Engine(parts, options));
    return options.isReadOnly ? openBesideWriter(directory, open) : open();
  }

  private constructor(
    { directory, identity, lock, data, checkpoints, wal }: StoreParts,
    options: EngineOptions,
  ) {
    this.directory = directory;
    this.identity = identity;
    this.syncMode = options.sync ?? 'always';
    this.#wal = wal;
    this.#lock = lock;
    this.#data = data;
    this.#checkpoints = checkpoints;
    this.#isReadOnly = options.isReadOnly ?? false;
    this.#maxBatchBytes = options.maxBatchBytes ?? defaultMaxBatchBytes;
    this.#sequence = wal.nextSequence - 1;
    this.#times = SequenceTimes.open(join(directory, 'SEQUENCE-TIMES'), this.#sequence, {
      isReadOnly: this.#isReadOnly,
    });
    if (this.#isReadOnly) return;
    // Once for all commits that are written together: the clock costs as much as a small commit.
    wal.onDurable(() => this.#times.note(this.#sequence));
    this.#retention = new LogRetention(
      wal,
      new ConsumerSlots(directory, options.files ?? nodeFiles),
      {
        get flushedSequence() {
          return data.flushedSequence;
        },
        sequenceAt: (timeMs) => this.sequenceAt(timeMs),
        checkpointHolds: () => checkpoints.logHolds.map((hold) => ({ holder: 'checkpoint', ...hold })),
      },
      { ...defaultRetention, ...options.retention },
    );
    const syncLog = (sequence: number): Promise<void> => this.#wal.syncUpTo(sequence);
    checkpoints.start({
      sequence: () => this.#sequence,
      syncedSequence: () => this.#wal.syncedSequence,
      syncLog,
      requireWritable: () => this.#requireWritable(),
      onFailure: (cause) => this.#wal.fail('writing the file CHECKPOINTS', cause),
    });
    data.flush.start({
      syncLog,
      isStateWanted: (sequence) => checkpoints.isWaitedFor(sequence),
      onState: (state) => checkpoints.onState(state),
      onFailure: (cause) => this.#wal.fail('writing the data file', cause),
    });
    if (options.checkpointPolicy !== undefined)
      this.#policy = new CheckpointPolicy(
        options.checkpointPolicy,
        checkpoints,
        () => this.#sequence,
        options.nowMs ?? Date.now,
      );
  }

  /** The named, durable views of this store. */
  get checkpoints(): Checkpoints {
    return this.#checkpoints;
  }

  /** What recovery found at open. */
  get recovery(): Recovery {
    return this.#wal.recovery;
  }

  /** Why `sequenceAt` knows nothing of the time before this open, if the file that says so is damaged. */
  get timesFault(): TimesFault | undefined {
    return this.#times.fault;
  }

  get sequence(): number {
    return this.#sequence;
  }

  get durableSequence(): number {
    return this.#wal.durableSequence;
  }

  /** The error after which the store takes no more writes, if it has failed. */
  get failure(): TailraceError | undefined {
    return this.#wal.failure;
  }

  /** Resolves when a write or sync has failed, with the error; stays open otherwise. */
  whenFailed(): Promise<TailraceError> {
    return new Promise((resolve) => {
      const look = (): void => {
        if (this.#wal.failure === undefined) return;
        stopListening();
        resolve(this.#wal.failure);
      };
      const stopListening = this.#wal.onDurable(look);
      look();
    });
  }

  commit(batch: Uint8Array): Commit {
    this.#requireWritable();
    if (batch.length > this.#maxBatchBytes) throw tooLarge(batch.length, this.#maxBatchBytes);
    const bytes = Buffer.isBuffer(batch)
      ? batch
      : Buffer.from(batch.buffer, batch.byteOffset, batch.byteLength);
    this.#batch.read(bytes);
    setBatchSequence(bytes, this.#sequence + 1);
    return this.#commitChecked(bytes);
  }

  commitBuilt(builder: WriteBatchBuilder): Commit {
    this.#requireWritable();
    if (builder.byteLength > this.#maxBatchBytes) throw tooLarge(builder.byteLength, this.#maxBatchBytes);
    const bytes = builder.finish(this.#sequence + 1);
    this.#batch.readBuilt(builder, bytes);
    return this.#commitChecked(bytes);
  }

  /** Commits `#batch`, whose bytes have their sequence number. */
  #commitChecked(bytes: Buffer): Commit {
    const checked = this.#batch;
    const first = this.#sequence + 1;
    this.#wal.append(bytes, first, checked.count);
    this.#sequence += checked.count;
    this.#data.apply(checked, first, bytes.length);
    this.#data.freezeIfFull(this.#sequence);
    return { first, last: this.#sequence };
  }

  whenDurable(sequence: number): Promise<void> {
    // Whoever writes faster than can be flushed waits here, so that memory stays bounded.
    return this.#data.flush.isOverfull
      ? this.#wal.whenDurable(sequence).then(() => this.#data.flush.whenRoomy())
      : this.#wal.whenDurable(sequence);
  }

  async write(batch: Uint8Array, options: { sync?: SyncMode } = {}): Promise<Commit> {
    const commit = this.commit(batch);
    const isStricter = options.sync === 'always' && this.syncMode !== 'always';
    if (commit.last < commit.first) await this.#wal.whenAppendedIsDurable(isStricter);
    else {
      await this.whenDurable(commit.last);
      if (isStricter) await this.#wal.sync();
    }
    return commit;
  }

  get(columnFamily: number, key: Uint8Array): Buffer | undefined {
    this.#requireFamily(columnFamily);
    return this.#data.get(columnFamily, key);
  }

  locate(columnFamily: number, key: Uint8Array, place: ValuePlace): boolean {
    this.#requireFamily(columnFamily);
    return this.#data.locate(columnFamily, key, place);
  }

  iterate(range: DataRange): DataIterator {
    this.#requireFamily(range.columnFamily);
    return this.#data.iterate(range);
  }

  /**
   * The sequence number that the store had reached at a time, in ms since the epoch; 0 = before all that is known.
   * Everything committed after that time lies behind it; of what was committed before, at most about a second's, or
   * more when it is long ago.
   */
  sequenceAt(timeMs: number): number {
    if (!this.#isReadOnly) this.#times.note(this.#sequence);
    return this.#times.sequenceAt(timeMs);
  }

  /**
   * The consumers of the log by name: what they have not acknowledged is kept, within the bounds of `retention`.
   * @throws TailraceError `STORE_READ_ONLY` when the store was opened for reading only
   */
  get slots(): ConsumerSlots {
    if (this.#retention === undefined) throw readOnly(this.directory);
    return this.#retention.slots;
  }

  /** Who keeps the log, and since where; undefined when the store was opened for reading only. */
  get retention(): RetentionState | undefined {
    return this.#retention?.state();
  }

  /** Removes log segments that nobody needs now, rather than within seconds. Returns the paths of the removed files. */
  async trimLog(): Promise<string[]> {
    this.#requireWritable();
    return (await this.#retention?.look()) ?? [];
  }

  /** The data as it is now. Taking it costs nothing; while open, it holds the pages and memtables that it reads. */
  snapshot(): Snapshot {
    this.#requireOpen();
    const snapshot = this.#data.snapshot(this.#sequence);
    return {
      sequence: snapshot.sequence,
      get: (columnFamily, key) => {
        this.#requireFamily(columnFamily);
        return snapshot.get(columnFamily, key);
      },
      iterate: (range) => {
        this.#requireFamily(range.columnFamily);
        return snapshot.iterate(range);
      },
      close: () => snapshot.close(),
    };
  }

  /**
   * Drops the keys from `begin` up to, not including, `end` without a record in the log: for keys that mean nothing to
   * readers any more. Durable with the next flush; after a crash before it the keys are back.
   */
  discard(columnFamily: number, begin: Uint8Array, end: Uint8Array): void {
    this.#requireWritable();
    this.#requireFamily(columnFamily);
    this.#data.discard(columnFamily, begin, end, this.#sequence);
  }

  /** Writes what is in memory to the data file; unless more is written after it, the next open replays nothing. */
  async flush(): Promise<void> {
    this.#requireWritable();
    this.#data.freeze(this.#sequence);
    await this.#data.flush.whenFlushed();
    this.#requireWritable();
  }

  /**
   * Checks all data on disk: every page and every unit of the data file. Begins when the flush under way has made its
   * state, and takes as long as reading the file; the store can be used meanwhile.
   * @throws TailraceError `STORE_CORRUPT` | `INTERNAL` | `STORE_FAILED` | `STORE_CLOSED`
   */
  async check(): Promise<void> {
    this.#requireOpen();
    await this.#data.flush.betweenStates(async () => {
      // A flush that failed has taken units that nothing refers to: that is no damage.
      if (this.#wal.failure !== undefined) throw this.#wal.failure;
      await this.#data.trees?.audit();
    });
  }

  walIterator(since: number): WalIterator {
    this.#requireOpen();
    return new LiveWalIterator(this.#wal, since);
  }

  stats(): EngineStats {
    return statsOf(this.#wal, this.#data, this.#sequence);
  }

  /** Makes everything durable and releases the directory. Idempotent; waits for what is in flight. */
  close(): Promise<void> {
    this.#isClosed = true;
    this.#closing ??= this.#shutDown().finally(() => {
      this.#times.close();
      this.#lock?.release();
    });
    return this.#closing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #shutDown(): Promise<void> {
    if (!this.#isReadOnly && this.#wal.failure === undefined && this.#data.isWorthFlushing)
      this.#data.freeze(this.#sequence);
    await closeAll([
      () => this.#policy?.close(),
      () => this.#data.flush.whenDone(),
      () => this.#retention?.close(),
      () => this.#data.close(),
      () => this.#checkpoints.close(),
      () => this.#wal.close(),
    ]);
  }

  #requireFamily(columnFamily: number): void {
    this.#requireOpen();
    if (columnFamilyNames[columnFamily] === undefined) throw unknownFamily(columnFamily);
  }

  #requireOpen(): void {
    if (this.#isClosed) throw closed('the store is closed');
  }

  #requireWritable(): void {
    this.#requireOpen();
    if (this.#isReadOnly) throw readOnly(this.directory);
    if (this.#wal.failure !== undefined) throw this.#wal.failure;
  }
}
