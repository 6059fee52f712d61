import { mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { TailraceError } from '../errors/index.js';
import {
  describeHolder,
  type Files,
  inaccessible,
  type LockHolder,
  nodeFiles,
  ProcessLock,
} from '../files/index.js';
import { RecordKind, setBatchSequence, WriteBatchReader } from '../write-batch/index.js';
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
import { Memtable } from './memtable/index.js';
import { SequenceTimes } from './sequence-times.js';
import { openIdentity, type StoreIdentity } from './store-identity.js';
import { LiveWalIterator, type Recovery, Wal } from './wal/index.js';

export interface EngineOptions {
  /** When a write counts as done; default `always`. */
  readonly sync?: SyncMode;
  /** Time between syncs in mode `interval`, in ms; default 1000. */
  readonly syncIntervalMs?: number;
  /** Size at which a log segment is finished, in bytes; default 64 MiB. */
  readonly segmentBytes?: number;
  /** Opens a store for reading beside its writer: takes no lock, changes nothing, sees what was on disk at open. */
  readonly isReadOnly?: boolean;
  /** Largest batch that `commit` takes, in bytes; default 512 MiB. */
  readonly maxBatchBytes?: number;
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
  /** Keys by column family name, garbage that reading rules hide included. */
  readonly keys: Readonly<Record<string, number>>;
  /** Memory outside the JavaScript heap, by owner. */
  readonly memoryBytes: { readonly memtable: number; readonly logBuffer: number };
}

export const defaultSegmentBytes = 64 * 1024 * 1024;
export const defaultSyncIntervalMs = 1_000;
export const defaultMaxBatchBytes = 512 * 1024 * 1024;

/**
 * The embedded store: a write-ahead log in RocksDB's format, and the data that it describes in memory. One process
 * at a time writes a directory. Reads are synchronous and see every commit at once; the log's readers see a batch
 * when it is durable. The log is kept whole: it is the only copy of the data.
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
  readonly #tables: readonly Memtable[];
  readonly #snapshots: Map<number, number>;
  readonly #times: SequenceTimes;
  #sequence: number;
  #isClosed = false;
  #closing: Promise<void> | undefined;

  /**
   * Opens the store in a directory, which is made if it is missing, and rebuilds the data from the log.
   * @throws TailraceError `STORE_LOCKED` | `STORE_CORRUPT` | `WAL_CORRUPT` | `WAL_GAP` | `FILE_INACCESSIBLE`
   */
  static async open(path: string, options: EngineOptions = {}): Promise<Engine> {
    const directory = resolve(path);
    const isReadOnly = options.isReadOnly ?? false;
    const files = options.files ?? nodeFiles;
    try {
      if (!isReadOnly) mkdirSync(directory, { recursive: true });
    } catch (cause) {
      throw inaccessible(directory, cause);
    }
    const lock = isReadOnly
      ? undefined
      : await ProcessLock.acquire(join(directory, 'LOCK'), (holder) => locked(directory, holder));
    try {
      const identity = await openIdentity(directory, files, !isReadOnly);
      const snapshots = new Map<number, number>();
      const tables = columnFamilyNames.map(() => new Memtable(snapshots));
      const reader = new WriteBatchReader();
      let expected = 1;
      const wal = await Wal.open(
        directory,
        {
          sync: options.sync ?? 'always',
          syncIntervalMs: options.syncIntervalMs ?? defaultSyncIntervalMs,
          segmentBytes: options.segmentBytes ?? defaultSegmentBytes,
          isReadOnly,
          files,
        },
        (bytes, sequence) => {
          // The log is the only copy of the data: one without its beginning is not a store.
          if (expected !== sequence) throw beginsLater(directory, sequence);
          expected = sequence + requireApplicable(reader, bytes);
          applyBatch(tables, reader, bytes);
        },
      );
      return new Engine(directory, identity, wal, lock, tables, snapshots, options);
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
    tables: readonly Memtable[],
    snapshots: Map<number, number>,
    options: EngineOptions,
  ) {
    this.directory = directory;
    this.identity = identity;
    this.syncMode = options.sync ?? 'always';
    this.#wal = wal;
    this.#lock = lock;
    this.#tables = tables;
    this.#snapshots = snapshots;
    this.#isReadOnly = options.isReadOnly ?? false;
    this.#maxBatchBytes = options.maxBatchBytes ?? defaultMaxBatchBytes;
    this.#sequence = wal.nextSequence - 1;
    this.#times = SequenceTimes.open(join(directory, 'SEQUENCE-TIMES'), this.#sequence, {
      isReadOnly: this.#isReadOnly,
    });
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
    applyBatch(this.#tables, this.#reader, bytes);
    this.#times.note(this.#sequence);
    return { first, last: this.#sequence };
  }

  whenDurable(sequence: number): Promise<void> {
    return this.#wal.whenDurable(sequence);
  }

  async write(batch: Uint8Array, options: { sync?: SyncMode } = {}): Promise<Commit> {
    const commit = this.commit(batch);
    await this.#wal.whenDurable(commit.last);
    if (options.sync === 'always' && this.syncMode !== 'always') await this.#wal.sync();
    return commit;
  }

  get(columnFamily: number, key: Uint8Array): Buffer | undefined {
    return this.#table(columnFamily).get(key, newest);
  }

  iterate(range: DataRange): DataIterator {
    return this.#table(range.columnFamily).iterate(range, newest);
  }

  /**
   * The sequence number that the store had reached at a time, in ms since the epoch; 0 = before all that is known.
   * Everything committed after that time lies behind it; of what was committed before, at most about a second's, or
   * more when it is long ago.
   */
  sequenceAt(timeMs: number): number {
    return this.#times.sequenceAt(timeMs);
  }

  snapshot(): Snapshot {
    this.#requireOpen();
    const sequence = this.#sequence;
    this.#snapshots.set(sequence, (this.#snapshots.get(sequence) ?? 0) + 1);
    let isOpen = true;
    const table = (columnFamily: number): Memtable => {
      if (!isOpen) throw closed('the snapshot is closed');
      return this.#table(columnFamily);
    };
    return {
      sequence,
      get: (columnFamily, key) => table(columnFamily).get(key, sequence),
      iterate: (range) => table(range.columnFamily).iterate(range, sequence),
      close: () => {
        if (isOpen) this.#releaseSnapshot(sequence);
        isOpen = false;
      },
    };
  }

  walIterator(since: number): WalIterator {
    this.#requireOpen();
    return new LiveWalIterator(this.#wal, since);
  }

  stats(): EngineStats {
    const { segments } = this.#wal;
    return {
      sequence: this.#sequence,
      durableSequence: this.#wal.durableSequence,
      firstLogSequence: this.#wal.firstSequence,
      logSegments: segments.length,
      logBytes: segments.reduce((total, segment) => total + segment.durableBytes, 0),
      pendingBytes: this.#wal.pendingBytes,
      snapshots: [...this.#snapshots.values()].reduce((total, count) => total + count, 0),
      keys: Object.fromEntries(this.#tables.map((table, id) => [columnFamilyNames[id], table.count])),
      memoryBytes: {
        memtable: this.#tables.reduce((total, table) => total + table.byteLength, 0),
        logBuffer: this.#wal.pendingBytes,
      },
    };
  }

  /** Makes everything durable and releases the directory. Idempotent; waits for what is in flight. */
  close(): Promise<void> {
    this.#isClosed = true;
    this.#closing ??= this.#wal.close().finally(() => {
      this.#times.close();
      this.#lock?.release();
    });
    return this.#closing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #table(columnFamily: number): Memtable {
    this.#requireOpen();
    const table = this.#tables[columnFamily];
    if (table === undefined) throw unknownFamily(columnFamily);
    return table;
  }

  #releaseSnapshot(sequence: number): void {
    const left = (this.#snapshots.get(sequence) ?? 1) - 1;
    if (left > 0) {
      this.#snapshots.set(sequence, left);
      return;
    }
    this.#snapshots.delete(sequence);
    for (const table of this.#tables) table.prune();
  }

  #requireOpen(): void {
    if (this.#isClosed) throw closed('the store is closed');
  }

  #requireWritable(): void {
    this.#requireOpen();
    if (this.#isReadOnly)
      throw new TailraceError('STORE_READ_ONLY', `${this.directory} was opened for reading only`, {
        remedy: 'Open the store without isReadOnly.',
      });
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

const applyBatch = (tables: readonly Memtable[], reader: WriteBatchReader, bytes: Buffer): void => {
  reader.reset(bytes, 0, bytes.length);
  const { sequence } = reader;
  while (reader.next()) {
    const table = tables[reader.columnFamily];
    const at = sequence + reader.index;
    switch (reader.kind) {
      case RecordKind.Put:
        table.put(bytes, reader.keyStart, reader.keyEnd, reader.valueStart, reader.valueEnd, at);
        break;
      case RecordKind.Delete:
      case RecordKind.SingleDelete:
        table.delete(bytes, reader.keyStart, reader.keyEnd, at);
        break;
      case RecordKind.DeleteRange:
        table.deleteRange(reader.key(), reader.value(), at);
        break;
      default:
        break; // LogData changes nothing; requireApplicable lets no other kind through
    }
  }
};

const newest = Number.MAX_SAFE_INTEGER;

const beginsLater = (directory: string, sequence: number): TailraceError =>
  new TailraceError('WAL_GAP', `the log in ${directory} begins at sequence number ${sequence}, not at 1`, {
    context: { file: directory, expected: 1, found: sequence },
    remedy: 'The first log files are missing: restore them from a backup.',
  });

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

const closed = (message: string): TailraceError =>
  new TailraceError('STORE_CLOSED', message, { remedy: 'Open it again.' });
