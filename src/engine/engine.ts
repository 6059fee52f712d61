import { join, resolve } from 'node:path';
import { TailraceError } from '../errors/index.js';
import {
  describeHolder,
  type Files,
  type LockHolder,
  makeDirectory,
  nodeFiles,
  ProcessLock,
} from '../files/index.js';
import { RecordKind, setBatchSequence, WriteBatchReader } from '../write-batch/index.js';
import {
  CheckpointCatalog,
  CheckpointPolicy,
  type CheckpointPolicyOptions,
  Checkpoints,
  statesOf,
} from './checkpoints/index.js';
import { columnFamilyNames } from './column-family.js';
import type {
  Commit,
  DataIterator,
  DataRange,
  Snapshot,
  Store,
  SyncMode,
  WalIterator,
} from './engine-api.js';
import { openBesideWriter } from './open-beside-writer.js';
import {
  ConsumerSlots,
  defaultRetention,
  LogRetention,
  type RetentionOptions,
  type RetentionState,
} from './retention/index.js';
import { SequenceTimes } from './sequence-times.js';
import { StoreData } from './store-data.js';
import { openIdentity, requireOwnDirectory, type StoreIdentity } from './store-identity.js';
import { LiveWalIterator, type Recovery, Wal } from './wal/index.js';

export interface EngineOptions {
  /** When a write counts as done; default `always`. */
  readonly sync?: SyncMode;
  /** Time between syncs in mode `interval`, in ms; default 1000. */
  readonly syncIntervalMs?: number;
  /** Size at which a log segment is finished, in bytes; default 64 MiB. */
  readonly segmentBytes?: number;
  /**
   * Opens a store for reading beside its writer: takes no lock, changes nothing, sees what was on disk at open. A read
   * throws `STORE_CHANGED` when the writer has meanwhile used a page again that it needs.
   */
  readonly isReadOnly?: boolean;
  /** Largest batch that `commit` takes, in bytes; default 512 MiB. */
  readonly maxBatchBytes?: number;
  /** Size of the memtables at which they are flushed to the data file, in bytes; default 64 MiB. Twice that is used at most times. */
  readonly memtableBytes?: number;
  /** Memory for pages of the data file, in bytes, used as needed; default 128 MiB. */
  readonly pageCacheBytes?: number;
  /** Size that the data file may not exceed, in bytes; default: what it can have, 16 TiB. A store whose data no longer fits fails. */
  readonly maxDataBytes?: number;
  /** Size of memtables from which on they are flushed in a thread of its own, in bytes; default 4 MiB, `Infinity` = never. */
  readonly threadFromBytes?: number;
  /** For how long the log is kept. */
  readonly retention?: Partial<RetentionOptions>;
  /** Makes checkpoints by itself; absent = none. */
  readonly checkpointPolicy?: CheckpointPolicyOptions;
  /** The clock, for the lifetimes of checkpoints; default `Date.now`. */
  readonly nowMs?: () => number;
  /** How files are written; tests make it fail. */
  readonly files?: Files;
}

/** Sizes and numbers of an open store. */
export interface EngineStats {
  readonly sequence: number;
  readonly durableSequence: number;
  readonly firstLogSequence: number;
  readonly logSegments: number;
  readonly logBytes: number;
  readonly pendingBytes: number;
  readonly snapshots: number;
  /** Last sequence number in the data file: the log behind it is replayed at open. */
  readonly flushedSequence: number;
  /** Size of the data file; how much of it is used by the newest state, and by older ones that are held. */
  readonly dataBytes: number;
  readonly liveBytes: number;
  readonly retainedBytes: number;
  /** Keys by column family name, garbage that reading rules hide included. */
  readonly keys: Readonly<Record<string, number>>;
  /** Memory outside the JavaScript heap, by owner. */
  readonly memoryBytes: {
    readonly memtable: number;
    readonly logBuffer: number;
    readonly pageCache: number;
    readonly space: number;
  };
}

export const defaultSegmentBytes = 64 * 1024 * 1024;
export const defaultSyncIntervalMs = 1_000;
export const defaultMemtableBytes = 64 * 1024 * 1024;
export const defaultPageCacheBytes = 128 * 1024 * 1024;
/** A thread costs some 10 MiB of memory: a small store can do without. */
const defaultThreadFromBytes = 4 * 1024 * 1024;
export const defaultMaxBatchBytes = 512 * 1024 * 1024;

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
  readonly #reader = new WriteBatchReader();
  readonly #data: StoreData;
  /** The named, durable views of this store. */
  readonly checkpoints: Checkpoints;
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
    return options.isReadOnly
      ? openBesideWriter(directory, () => Engine.#open(directory, options))
      : Engine.#open(directory, options);
  }

  static async #open(directory: string, options: EngineOptions): Promise<Engine> {
    const isReadOnly = options.isReadOnly ?? false;
    const files = options.files ?? nodeFiles;
    if (!isReadOnly) {
      makeDirectory(directory);
      requireOwnDirectory(directory);
    }
    const lock = isReadOnly
      ? undefined
      : await ProcessLock.acquire(join(directory, 'LOCK'), (holder) => locked(directory, holder));
    try {
      const identity = await openIdentity(directory, files, !isReadOnly);
      const catalog = new CheckpointCatalog(directory, files);
      const entries = catalog.read();
      const { data, held } = await StoreData.open(
        {
          directory,
          storeId: identity.id,
          files,
          isReadOnly,
          memtableBytes: options.memtableBytes ?? defaultMemtableBytes,
          pageCacheBytes: options.pageCacheBytes ?? defaultPageCacheBytes,
          maxDataBytes: options.maxDataBytes ?? Number.POSITIVE_INFINITY,
          threadFromBytes: options.threadFromBytes ?? defaultThreadFromBytes,
        },
        statesOf(entries),
      );
      try {
        const checkpoints = new Checkpoints(identity.id, data, catalog, files, options.nowMs ?? Date.now);
        checkpoints.load(entries, held);
        const wal = await openLog(directory, data, checkpoints, files, options);
        await checkpoints.finishLoad(isReadOnly);
        return new Engine(directory, identity, wal, lock, data, checkpoints, options);
      } catch (error) {
        await data.close();
        throw error;
      }
    } catch (error) {
      lock?.release();
      throw error;
    }
  }

  private constructor(
    directory: string,
    identity: StoreIdentity,
    wal: Wal,
    lock: ProcessLock | undefined,
    data: StoreData,
    checkpoints: Checkpoints,
    options: EngineOptions,
  ) {
    this.directory = directory;
    this.identity = identity;
    this.syncMode = options.sync ?? 'always';
    this.#wal = wal;
    this.#lock = lock;
    this.#data = data;
    this.checkpoints = checkpoints;
    this.#isReadOnly = options.isReadOnly ?? false;
    this.#maxBatchBytes = options.maxBatchBytes ?? defaultMaxBatchBytes;
    this.#sequence = wal.nextSequence - 1;
    this.#times = SequenceTimes.open(join(directory, 'SEQUENCE-TIMES'), this.#sequence, {
      isReadOnly: this.#isReadOnly,
    });
    if (this.#isReadOnly) return;
    this.#retention = new LogRetention(
      wal,
      new ConsumerSlots(directory, options.files ?? nodeFiles),
      {
        get flushedSequence() {
          return data.flushedSequence;
        },
        sequenceAt: (timeMs) => this.#times.sequenceAt(timeMs),
        checkpointHolds: () => checkpoints.logHolds.map((hold) => ({ holder: 'checkpoint', ...hold })),
      },
      { ...defaultRetention, ...options.retention },
    );
    const syncLog = (sequence: number): Promise<void> => this.#wal.syncUpTo(sequence);
    checkpoints.start({
      sequence: () => this.#sequence,
      syncLog,
      requireWritable: () => this.#requireWritable(),
      onFailure: (cause) => this.#wal.fail('writing the file CHECKPOINTS', cause),
    });
    data.start({
      syncLog,
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

  /** What recovery found at open. */
  get recovery(): Recovery {
    return this.#wal.recovery;
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
    const count = requireApplicable(this.#reader, bytes);
    const first = this.#sequence + 1;
    setBatchSequence(bytes, first);
    this.#wal.append(bytes);
    this.#sequence += count;
    this.#data.apply(this.#reader, bytes);
    this.#data.freezeIfFull(this.#sequence);
    this.#times.note(this.#sequence);
    return { first, last: this.#sequence };
  }

  whenDurable(sequence: number): Promise<void> {
    // Who writes faster than can be flushed waits here, so that memory stays bounded.
    return this.#data.isOverfull
      ? this.#wal.whenDurable(sequence).then(() => this.#data.whenRoomy())
      : this.#wal.whenDurable(sequence);
  }

  async write(batch: Uint8Array, options: { sync?: SyncMode } = {}): Promise<Commit> {
    const commit = this.commit(batch);
    await this.whenDurable(commit.last);
    if (options.sync === 'always' && this.syncMode !== 'always') await this.#wal.sync();
    return commit;
  }

  get(columnFamily: number, key: Uint8Array): Buffer | undefined {
    this.#requireFamily(columnFamily);
    return this.#data.get(columnFamily, key);
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

  /** Removes now what nobody needs of the log, rather than in a few seconds. Returns the paths of the removed files. */
  trimLog(): Promise<string[]> {
    this.#requireWritable();
    return this.#retention?.look() ?? Promise.resolve([]);
  }

  /** Costs nothing to take. While it is open it holds the pages and memtables that it reads. */
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

  /** Writes what is in memory to the data file, so that the next open has nothing to replay. */
  async flush(): Promise<void> {
    this.#requireWritable();
    this.#data.freeze(this.#sequence);
    await this.#data.whenFlushed();
    this.#requireWritable();
  }

  /**
   * Checks all data on disk: every page and every unit of the data file. Takes as long as reading it all.
   * @throws TailraceError `STORE_CORRUPT` | `INTERNAL`
   */
  async check(): Promise<void> {
    this.#requireOpen();
    await this.#data.whenFlushed();
    this.#data.trees?.audit();
  }

  walIterator(since: number): WalIterator {
    this.#requireOpen();
    return new LiveWalIterator(this.#wal, since);
  }

  stats(): EngineStats {
    const { segments } = this.#wal;
    const space = this.#data.trees?.space;
    const unitBytes = space?.unitBytes ?? 0;
    return {
      sequence: this.#sequence,
      durableSequence: this.#wal.durableSequence,
      firstLogSequence: this.#wal.firstSequence,
      logSegments: segments.length,
      logBytes: segments.reduce((total, segment) => total + segment.durableBytes, 0),
      pendingBytes: this.#wal.pendingBytes,
      snapshots: this.#data.openSnapshots,
      flushedSequence: this.#data.flushedSequence,
      dataBytes: (space?.units ?? 0) * unitBytes,
      liveBytes: (space?.liveUnits ?? 0) * unitBytes,
      retainedBytes: (space?.retainedUnits ?? 0) * unitBytes,
      keys: Object.fromEntries(columnFamilyNames.map((name, id) => [name, this.#data.entriesOf(id)])),
      memoryBytes: {
        memtable: this.#data.memtableBytes,
        logBuffer: this.#wal.pendingBytes,
        pageCache: this.#data.trees?.cache.byteLength ?? 0,
        space: space?.byteLength ?? 0,
      },
    };
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
    await this.#policy?.close();
    await this.#data.whenFlushed();
    await this.#retention?.close();
    await this.checkpoints.close();
    await this.#wal.close();
    await this.#data.close();
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

/** Checks every record before anything is written; returns how many sequence numbers the batch takes. */
const requireApplicable = (reader: WriteBatchReader, batch: Buffer): number => {
  reader.reset(batch, 0, batch.length);
  while (reader.next()) {
    if (reader.columnFamily >= columnFamilyNames.length) throw unknownFamily(reader.columnFamily);
    if (reader.kind > RecordKind.DeleteRange && reader.kind !== RecordKind.LogData)
      throw inapplicable(reader);
  }
  return reader.count;
};

/** Opens the log and replays what the data file does not hold. */
const openLog = async (
  directory: string,
  data: StoreData,
  checkpoints: Checkpoints,
  files: Files,
  options: EngineOptions,
): Promise<Wal> => {
  const flushed = data.flushedSequence;
  const reader = new WriteBatchReader();
  let expected = flushed + 1;
  const wal = await Wal.open(
    directory,
    {
      sync: options.sync ?? 'always',
      syncIntervalMs: options.syncIntervalMs ?? defaultSyncIntervalMs,
      segmentBytes: options.segmentBytes ?? defaultSegmentBytes,
      isReadOnly: options.isReadOnly ?? false,
      files,
      replayAfter: flushed,
    },
    (bytes, sequence) => {
      if (expected !== sequence) throw beginsLater(directory, expected, sequence);
      expected = sequence + requireApplicable(reader, bytes);
      data.apply(reader, bytes);
      checkpoints.onReplayed(expected - 1);
      data.freezeIfFull(expected - 1);
    },
  );
  if (wal.nextSequence <= flushed) {
    await wal.close();
    throw endsBefore(directory, flushed, wal.nextSequence - 1);
  }
  return wal;
};

const beginsLater = (directory: string, expected: number, found: number): TailraceError =>
  new TailraceError(
    'WAL_GAP',
    `the log in ${directory} goes on at sequence number ${found}, the data ends before ${expected}`,
    {
      context: { file: directory, expected, found },
      remedy: 'Log files, or the data file, are missing: restore them from a backup.',
    },
  );

const endsBefore = (directory: string, expected: number, found: number): TailraceError =>
  new TailraceError(
    'WAL_GAP',
    `the log in ${directory} ends at sequence number ${found}, but the data file holds ${expected}`,
    {
      context: { file: directory, expected, found },
      remedy: 'The newest log files are missing: restore them from a backup.',
    },
  );

const locked = (directory: string, holder: LockHolder | undefined): TailraceError =>
  new TailraceError('STORE_LOCKED', `${directory} is in use by ${describeHolder(holder)}`, {
    context: { directory, ...(holder === undefined ? {} : { pid: holder.pid, host: holder.host }) },
    remedy: 'Stop that process, or use its server instead of the directory.',
  });

const unknownFamily = (id: number): TailraceError =>
  new TailraceError('COLUMN_FAMILY_UNKNOWN', `column family ${id} does not exist`, {
    context: { columnFamily: id },
    remedy: `The store has the column families 0 to ${columnFamilyNames.length - 1}.`,
  });

const inapplicable = (reader: WriteBatchReader): TailraceError =>
  new TailraceError('BATCH_RECORD_UNKNOWN', 'the batch has a record that a store of this kind cannot apply', {
    context: { kind: reader.kind, columnFamily: reader.columnFamily },
    remedy:
      'Merge operands, blob references, wide columns, timed puts and two-phase markers are not supported.',
  });

const tooLarge = (actual: number, limit: number): TailraceError =>
  new TailraceError('LIMIT_EXCEEDED', `a batch of ${actual} bytes exceeds the limit of ${limit}`, {
    context: { actual, limit },
    remedy: 'Write less at once, or open the store with a larger maxBatchBytes.',
  });

const readOnly = (directory: string): TailraceError =>
  new TailraceError('STORE_READ_ONLY', `${directory} was opened for reading only`, {
    remedy: 'Open the store without isReadOnly.',
  });

const closed = (message: string): TailraceError =>
  new TailraceError('STORE_CLOSED', message, { remedy: 'Open it again.' });
