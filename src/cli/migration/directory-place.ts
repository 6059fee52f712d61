import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { WalSource } from '../../../connectors/wal/index.js';
import { ColumnFamily, carrySlots } from '../../data-model/index.js';
import { columnFamilyNames, LogDirectoryReader } from '../../engine/index.js';
import { TailraceError } from '../../errors/index.js';
import { type Position, type Pulled, type PullLimit, positionOf, type StartPoint } from '../../kit/index.js';
import { DirectoryReader, DirectoryRecords, type LogSource } from '../../migration/index.js';
import { RocksdbSnapshot } from '../../rocksdb/index.js';
import { batchCount } from '../../write-batch/index.js';
import type { SourceOptions, SourcePlace } from './source-place.js';

/**
 * The data directory of a Kvrocks as a source: its keys as of one sequence number, and its log files from there on. It is
 * only read, and may be in use.
 * @throws TailraceError `FILE_INACCESSIBLE` | `STORE_CORRUPT` | `WAL_CORRUPT` | `WAL_GAP` | `SOURCE_UNSUPPORTED`
 */
export const openDirectory = async (
  path: string,
  {
    scratch,
    largestKeyBytes,
    namespaces: wanted = ['default'],
  }: Pick<SourceOptions, 'scratch' | 'namespaces' | 'largestKeyBytes'>,
): Promise<SourcePlace> => {
  const directory = existsSync(join(path, 'CURRENT')) ? path : join(path, 'db');
  if (!existsSync(join(directory, 'CURRENT')))
    throw existsSync(join(path, 'IDENTITY')) ? ownStore(path) : noStore(path);
  const open = (): Promise<RocksdbSnapshot> =>
    RocksdbSnapshot.open(directory, { ...columnFamilyNames }, scratch);
  const snapshot = await open();
  if (carrySlots(metadataKeysIn(snapshot))) {
    await snapshot[Symbol.asyncDispose]();
    throw inClusterMode(path);
  }
  const newest = new NewestSnapshot(snapshot, open);
  const log = new SnapshotLog(directory, snapshot);
  const keys = new DirectoryReader(snapshot, () => newest.take(), largestKeyBytes);
  return {
    name: `dir:${path}`,
    log,
    hasLog: true,
    isTailrace: false,
    runId: undefined,
    records: new DirectoryRecords(snapshot),
    keys,
    namespaces: wanted.includes('*') ? keys.namespaces() : wanted,
    names: keys,
    connection: undefined,
    run: undefined,
    [Symbol.asyncDispose]: async () => {
      await log[Symbol.asyncDispose]();
      await newest[Symbol.asyncDispose]();
    },
  };
};

/** A directory that may be in use, as it is by then: opened anew when something was written there. */
class NewestSnapshot implements AsyncDisposable {
  readonly #first: RocksdbSnapshot;
  readonly #open: () => Promise<RocksdbSnapshot>;
  #later: RocksdbSnapshot | undefined;

  /** @param first is used as long as nothing is written, and closed with it */
  constructor(first: RocksdbSnapshot, open: () => Promise<RocksdbSnapshot>) {
    this.#first = first;
    this.#open = open;
  }

  /** Borrowed until the next call. */
  async take(): Promise<RocksdbSnapshot> {
    const known = this.#later ?? this.#first;
    if (known.isNewest) return known;
    await this.#closeLater();
    this.#later = await this.#open();
    return this.#later;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#closeLater();
    await this.#first[Symbol.asyncDispose]();
  }

  async #closeLater(): Promise<void> {
    await this.#later?.[Symbol.asyncDispose]();
    this.#later = undefined;
  }
}

/** The log files of a directory, of which a snapshot was taken. */
class SnapshotLog implements LogSource {
  readonly #directory: string;
  readonly #snapshot: RocksdbSnapshot;
  readonly #source: WalSource;
  /** Runs ahead of what is pulled, so that it is known how much is left. */
  #ahead: LogDirectoryReader | undefined;
  #latest = 0;

  constructor(directory: string, snapshot: RocksdbSnapshot) {
    this.#directory = directory;
    this.#snapshot = snapshot;
    this.#source = new WalSource({ path: directory, follow: true, pollMs: 50 });
  }

  /** The moment of the snapshot; without a batch to know it by where the log no longer has that. */
  async newestPosition(): Promise<Position | null> {
    const { sequence, newest } = this.#snapshot;
    if (sequence === 0) return null;
    if (newest === undefined || newest.sequence !== sequence) return { sequence, count: 0, crc: 0 };
    const count = batchCount(newest.bytes);
    return positionOf({ sequence: sequence - count + 1, count, bytes: newest.bytes });
  }

  async open(start: StartPoint): Promise<void> {
    await this.#source.open(start);
    this.#ahead?.close();
    this.#ahead = new LogDirectoryReader(
      this.#directory,
      start.kind === 'after' ? start.position.sequence + 1 : 0,
    );
    this.#latest = start.kind === 'after' ? start.position.sequence : 0;
  }

  async pull(limit: PullLimit, signal: AbortSignal): Promise<Pulled | null> {
    const pulled = await this.#source.pull(limit, signal);
    let read = 0;
    for (let batch = this.#ahead?.next(); batch !== undefined; batch = this.#ahead?.next()) {
      this.#latest = batch.sequence + batch.count - 1;
      if (++read % batchesPerTurn === 0) await nextTurn();
      signal.throwIfAborted();
    }
    return pulled && { ...pulled, latestSequence: Math.max(pulled.latestSequence, this.#latest) };
  }

  async acknowledge(): Promise<void> {
    // The files belong to whoever writes them.
  }

  check(): ReturnType<WalSource['check']> {
    return this.#source.check();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ahead?.close();
    await this.#source[Symbol.asyncDispose]();
  }
}

const batchesPerTurn = 10_000;

function* metadataKeysIn(snapshot: RocksdbSnapshot): Generator<Buffer, void> {
  for (const { key } of snapshot.iterate({ columnFamily: ColumnFamily.metadata })) yield key;
}

const inClusterMode = (path: string): TailraceError =>
  new TailraceError('SOURCE_UNSUPPORTED', `${path} is of a Kvrocks in cluster mode, whose keys carry slots`, {
    context: { file: path },
    remedy: 'Start it, and migrate from its address (--from redis://host:port), each node by itself.',
  });

const noStore = (path: string): TailraceError =>
  new TailraceError('FILE_INACCESSIBLE', `${path} holds no store: there is no file CURRENT`, {
    context: { file: path },
    remedy: 'Name the data directory of a Kvrocks, or its db folder.',
  });

const ownStore = (path: string): TailraceError =>
  new TailraceError('SOURCE_UNSUPPORTED', `${path} is a store of tailrace, not of Kvrocks`, {
    context: { file: path },
    remedy: `Run tailrace serve --dir ${path}, and migrate from its address.`,
  });
