import { closeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { DataIterator, DataRange, DataReader } from '../engine/index.js';
import { listSegmentFiles } from '../engine/index.js';
import { isTailraceError, TailraceError } from '../errors/index.js';
import { openToRead } from '../files/index.js';
import { BlobFiles } from './blob-files.js';
import { BlockCache } from './block-cache.js';
import { readStoreVersion } from './manifest.js';
import { MergedIterator } from './merged-iterator.js';
import { RunCursor } from './run-cursor.js';
import type { ColumnFamilyVersion, DeletedRange, StoreVersion } from './store-version.js';
import { Table } from './table.js';
import { type LogEnd, type OpenLog, UnmergedWrites } from './unmerged-writes.js';

/**
 * The data of a RocksDB directory as of one sequence number: its tables, and above them what stands in its log alone.
 *
 * It only reads. It takes no lock and needs none: the directory may be a copy, or that of a server that goes on writing.
 * All files that make up the store are opened at once, and then it is asked whether they still do; from then on the writer
 * may merge and remove them. Only stores with RocksDB's own order of keys can be read, as those of Kvrocks are.
 */
export class RocksdbSnapshot implements DataReader, AsyncDisposable {
  readonly sequence: number;
  /** The newest batch of the log; undefined where all of the log has been merged and removed. */
  readonly newest: LogEnd | undefined;
  readonly #opened: OpenFiles;
  readonly #unmerged: UnmergedWrites;

  /**
   * @param names of the column families, by id: what is expected there
   * @param scratch where what stands in the log alone is put in order, at most about as much as its memtables hold
   * @throws TailraceError `FILE_INACCESSIBLE` | `STORE_CORRUPT` | `WAL_CORRUPT` | `WAL_GAP` | `SOURCE_UNSUPPORTED`
   */
  static async open(
    directory: string,
    names: Readonly<Record<number, string>>,
    scratch = tmpdir(),
  ): Promise<RocksdbSnapshot> {
    const opened = await openFiles(directory);
    try {
      for (const { id, name } of opened.version.families)
        if (names[id] !== undefined && names[id] !== name) throw otherFamilies(directory, id, name);
      const unmerged = await UnmergedWrites.open(opened.version, scratch);
      try {
        await unmerged.read(opened.logs);
        return new RocksdbSnapshot(opened, unmerged);
      } catch (error) {
        await unmerged.close();
        throw error;
      }
    } catch (error) {
      closeFiles(opened);
      throw error;
    }
  }

  private constructor(opened: OpenFiles, unmerged: UnmergedWrites) {
    this.#opened = opened;
    this.#unmerged = unmerged;
    this.newest = unmerged.newest;
    this.sequence = Math.max(opened.version.lastSequence, unmerged.newest?.sequence ?? 0);
  }

  /** False when something was written since it was opened. */
  get isNewest(): boolean {
    return logEndOf(this.#opened.directory) === this.#opened.logEnd;
  }

  get(columnFamily: number, key: Uint8Array): Buffer | undefined {
    const iterator = this.iterate({ columnFamily, begin: key });
    try {
      return iterator.valid && Buffer.compare(iterator.item.key, key) === 0 ? iterator.item.value : undefined;
    } finally {
      iterator.close();
    }
  }

  /** Forwards alone. Items are owned by the caller. */
  iterate({ columnFamily, begin = noBytes, end, isReverse }: DataRange): DataIterator {
    if (isReverse === true) throw new RangeError('a RocksDB directory is read forwards alone');
    const family = this.#opened.families.get(columnFamily);
    const unmerged = this.#unmerged.iterate(columnFamily, begin, end);
    const behind = this.#unmerged.deletedRanges.get(columnFamily) ?? [];
    const runs = (family?.runs ?? []).map((tables) => new RunCursor(tables));
    const deletedRanges =
      behind.length === 0 ? (family?.deletedRanges ?? []) : [...(family?.deletedRanges ?? []), ...behind];
    return new MergedIterator({ unmerged, runs, deletedRanges, blobs: this.#opened.blobs }, begin, end);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    closeFiles(this.#opened);
    await this.#unmerged.close();
  }
}

interface OpenFamily {
  /** Tables that follow each other. */
  readonly runs: readonly (readonly Table[])[];
  readonly deletedRanges: readonly DeletedRange[];
}

interface OpenFiles {
  readonly directory: string;
  /** Up to where the log went when it was opened, or less far. */
  readonly logEnd: string;
  readonly version: StoreVersion;
  readonly tables: readonly Table[];
  readonly families: ReadonlyMap<number, OpenFamily>;
  readonly blobs: BlobFiles;
  readonly logs: readonly OpenLog[];
}

/** Opens every file of one version, again as long as the store changes meanwhile. */
const openFiles = async (directory: string): Promise<OpenFiles> => {
  for (let attempt = 1; ; attempt++) {
    const version = readStoreVersion(directory);
    const tables: Table[] = [];
    const blobs = new BlobFiles();
    const logs: OpenLog[] = [];
    let failure: unknown;
    try {
      const cache = new BlockCache(blockCacheBytes);
      const families = new Map(
        version.families.map((family) => [family.id, openFamily(directory, family, cache, tables)]),
      );
      for (const { blobFiles } of version.families)
        for (const number of blobFiles) blobs.open(directory, number);
      const firstLog = version.families.reduce(
        (least, { logNumber }) => Math.min(least, logNumber),
        Infinity,
      );
      const logEnd = logEndOf(directory);
      for (const log of listSegmentFiles(directory))
        if (log.number >= firstLog) logs.push({ ...log, fd: openToRead(log.path) });
      const opened: OpenFiles = { directory, logEnd, version, tables, families, blobs, logs };
      const now = readStoreVersion(directory);
      if (now.manifest === version.manifest && now.manifestBytes === version.manifestBytes) return opened;
    } catch (error) {
      failure = error;
    }
    closeFiles({ tables, blobs, logs });
    // A file that was removed meanwhile is missing in the next version, too; else it is really missing.
    const isMissing = isTailraceError(failure) && failure.code === 'FILE_INACCESSIBLE';
    if (failure !== undefined && !isMissing) throw failure;
    if (attempt >= maxAttempts) throw failure ?? tooBusy(directory);
    await delay(attempt * attemptPauseMs);
  }
};

const openFamily = (
  directory: string,
  { files }: ColumnFamilyVersion,
  cache: BlockCache,
  opened: Table[],
): OpenFamily => {
  const runs = new Map<number, Table[]>();
  const deletedRanges: DeletedRange[] = [];
  for (const file of files) {
    const table = new Table(join(directory, `${String(file.number).padStart(6, '0')}.sst`), file, cache);
    opened.push(table);
    for (const range of table.deletedRanges) deletedRanges.push(range);
    // Those of level 0 overlap: each is a run of its own.
    const run = file.level === 0 ? -opened.length : file.level;
    const tables = runs.get(run);
    if (tables === undefined) runs.set(run, [table]);
    else tables.push(table);
  }
  return { runs: [...runs.values()], deletedRanges };
};

/** Tells one state of the log from a later one. */
const logEndOf = (directory: string): string => {
  const newest = listSegmentFiles(directory).at(-1);
  return newest === undefined ? '' : `${newest.number}:${newest.sizeBytes}`;
};

const closeFiles = ({ tables, blobs, logs }: Pick<OpenFiles, 'tables' | 'blobs' | 'logs'>): void => {
  for (const table of tables) table.close();
  blobs.close();
  for (const { fd } of logs) closeSync(fd);
};

const noBytes = Buffer.alloc(0);
/** Memory for blocks of tables. */
const blockCacheBytes = 32 * 1024 * 1024;
const maxAttempts = 20;
const attemptPauseMs = 20;

const otherFamilies = (directory: string, id: number, name: string): TailraceError =>
  new TailraceError('SOURCE_UNSUPPORTED', `${directory} has ${JSON.stringify(name)} as column family ${id}`, {
    context: { directory },
    remedy: 'It must be the data directory of an Apache Kvrocks.',
  });

const tooBusy = (directory: string): TailraceError =>
  new TailraceError('SOURCE_UNREACHABLE', `${directory} changed each time it was opened`, {
    context: { directory },
    remedy: 'Try again at a quieter time, or copy the directory by BGSAVE and read the copy.',
  });
