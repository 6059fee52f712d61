import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { type DataIterator, Engine, LogReader, type SegmentFile } from '../engine/index.js';
import { TailraceError } from '../errors/index.js';
import { inaccessible } from '../files/index.js';
import { batchHeaderBytes, RecordKind, WriteBatchBuilder, WriteBatchReader } from '../write-batch/index.js';
import type { DeletedRange, StoreVersion } from './store-version.js';

/** A log file that is held open. */
export interface OpenLog extends SegmentFile {
  readonly fd: number;
}

/** The newest batch of a log. */
export interface LogEnd {
  readonly sequence: number;
  readonly bytes: Buffer;
}

/** First byte of each value: whether the key was put or deleted. */
export const Mark = { deleted: 0, put: 1 } as const;

/**
 * What stands in the log alone and in no table yet. It may be more than fits into memory, so it is kept in a store of its
 * own in a scratch directory, each value behind a mark, deletes as values too: they hide what the tables have.
 */
export class UnmergedWrites {
  /** By column family, in the order in which they were deleted. */
  readonly deletedRanges = new Map<number, DeletedRange[]>();
  /** The newest batch that was read; undefined when no log holds one. */
  newest: LogEnd | undefined;
  readonly #directory: string;
  readonly #engine: Engine;
  readonly #logNumbers: ReadonlyMap<number, number>;
  #written = 0;

  /** @param scratch a directory in which a temporary one is made */
  static async open(version: StoreVersion, scratch: string): Promise<UnmergedWrites> {
    let directory: string;
    try {
      directory = mkdtempSync(join(scratch, 'tailrace-unmerged-'));
    } catch (cause) {
      throw inaccessible(scratch, cause);
    }
    try {
      const engine = await Engine.open(directory, { sync: 'none', ...memory });
      return new UnmergedWrites(version, directory, engine);
    } catch (error) {
      rmSync(directory, { recursive: true, force: true });
      throw error;
    }
  }

  private constructor(version: StoreVersion, directory: string, engine: Engine) {
    this.#directory = directory;
    this.#engine = engine;
    this.#logNumbers = new Map(version.families.map(({ id, logNumber }) => [id, logNumber]));
  }

  /**
   * Reads log files in their order, each to its end; what is half written at the end of the last was never acknowledged.
   * @throws TailraceError `WAL_CORRUPT` | `WAL_GAP` | `SOURCE_UNSUPPORTED`
   */
  async read(logs: readonly OpenLog[]): Promise<void> {
    let expected = 0;
    for (const log of logs) {
      const reader = new LogReader(log.fd, log.path, log.number);
      for (let read = reader.next(); read !== 'end'; read = reader.next()) {
        // Whether something was lost there, the number of the next batch tells.
        if (read === 'incomplete') break;
        if (read === 'damaged' && log === logs.at(-1)) throw damaged(log.path, reader.offset, reader.reason);
        if (read === 'damaged') break;
        if (reader.payload.length < batchHeaderBytes)
          throw damaged(log.path, reader.offset, 'a record that is no write batch');
        const batch = new WriteBatchReader(reader.payload);
        if (expected !== 0 && batch.sequence !== expected) throw gap(log.path, expected, batch.sequence);
        expected = batch.sequence + batch.count;
        this.#apply(batch, log);
        if (batch.count > 0) this.newest = { sequence: expected - 1, bytes: Buffer.from(reader.payload) };
        if (this.#written > flushBytes) await this.#flush();
      }
    }
    await this.#flush();
  }

  /** Walks marked values. */
  iterate(columnFamily: number, begin: Uint8Array, end: Uint8Array | undefined): DataIterator {
    return this.#engine.iterate({ columnFamily, begin, ...(end === undefined ? {} : { end }) });
  }

  async close(): Promise<void> {
    await this.#engine.close();
    rmSync(this.#directory, { recursive: true, force: true });
  }

  #apply(batch: WriteBatchReader, log: OpenLog): void {
    const out = new WriteBatchBuilder(batch.bytes.length + 64);
    while (batch.next()) {
      const { kind, columnFamily } = batch;
      if (kind === RecordKind.LogData || kind === RecordKind.TransactionMarker) continue;
      const logNumber = this.#logNumbers.get(columnFamily);
      // A column family that was dropped, or whose writes of this file are in tables.
      if (logNumber === undefined || log.number < logNumber) continue;
      if (kind === RecordKind.Put)
        out.put(columnFamily, batch.key(), Buffer.concat([Buffer.of(Mark.put), batch.value()]));
      else if (kind === RecordKind.Delete || kind === RecordKind.SingleDelete)
        out.put(columnFamily, batch.key(), Buffer.of(Mark.deleted));
      else if (kind === RecordKind.DeleteRange) {
        out.deleteRange(columnFamily, batch.key(), batch.value());
        this.#deleteRange(columnFamily, batch);
      } else
        throw new TailraceError(
          'SOURCE_UNSUPPORTED',
          `${log.path} has records that are not known: kind ${kind}`,
          {
            context: { file: log.path, sequence: batch.sequence + batch.index },
            remedy: 'Only directories of a Kvrocks can be read.',
          },
        );
    }
    if (out.count === 0) return;
    this.#written += out.byteLength;
    this.#engine.commit(out.finish());
  }

  #deleteRange(columnFamily: number, batch: WriteBatchReader): void {
    const ranges = this.deletedRanges.get(columnFamily) ?? [];
    const [begin, end] = [Buffer.from(batch.key()), Buffer.from(batch.value())];
    ranges.push({ begin, end, isEndIncluded: false, sequence: batch.sequence + batch.index });
    this.deletedRanges.set(columnFamily, ranges);
  }

  async #flush(): Promise<void> {
    this.#written = 0;
    await this.#engine.whenDurable(this.#engine.sequence);
  }
}

const memory = { memtableBytes: 16 * 1024 * 1024, pageCacheBytes: 16 * 1024 * 1024 };
/** So much is handed to the scratch store before it is waited for. */
const flushBytes = 4 * 1024 * 1024;

const damaged = (path: string, offset: number, reason: string): TailraceError =>
  new TailraceError('WAL_CORRUPT', `${path} is damaged at ${offset}: ${reason}`, {
    context: { file: path, offset, reason },
    remedy: 'Restore the directory from a backup, or copy it again.',
  });

const gap = (path: string, expected: number, found: number): TailraceError =>
  new TailraceError('WAL_GAP', `${path} goes on at sequence number ${found} instead of ${expected}`, {
    context: { file: path, expected, found },
    remedy: 'A log file is missing or cut: copy the directory again, with all its files.',
  });
