import { setTimeout as delay } from 'node:timers/promises';
import { appendRawRecords, ColumnFamily, rawCursorAt } from '../../data-model/index.js';
import type { DataReader } from '../../engine/index.js';
import { isTailraceError } from '../../errors/index.js';
import { WriteBatchBuilder, WriteBatchReader } from '../../write-batch/index.js';
import { requireReply, type ServerConnection } from '../server-connection.js';

/** A page of a walk over the records of all keys; it may end inside of a key. */
export interface RecordPart {
  /** The newest write that it can contain. */
  readonly sequence: number;
  /** Where the walk goes on; undefined at its end. */
  readonly next: Buffer | undefined;
  /** A serialized WriteBatch. */
  readonly batch: Buffer;
  /** True when all of it is known to be durable at the source. */
  readonly isDurable?: boolean;
  readonly session: number;
}

/** Where the records of a store are read as they stand in it. */
export interface RecordSource {
  /** @throws TailraceError `SOURCE_UNREACHABLE` (may be tried again) | `SOURCE_REFUSED` | `SOURCE_UNSUPPORTED` */
  readRecords(after: Buffer | undefined, maxBytes: number, signal: AbortSignal): Promise<RecordPart>;
  /** All records of one key, in batches; none when it does not exist. */
  recordsOf(metadataKey: Buffer, signal: AbortSignal): Promise<readonly Buffer[]>;
  /**
   * Waits until everything that the part contains is durable at the source; false when that may never be, since the source
   * was restarted: the part must be read again.
   */
  whenDurable(part: RecordPart, signal: AbortSignal): Promise<boolean>;
}

/** A tailrace serve, by RECORDS RAW. */
export class ServerRecords implements RecordSource {
  readonly #connection: ServerConnection;

  /** @param connection stays its owner's */
  constructor(connection: ServerConnection) {
    this.#connection = connection;
  }

  async readRecords(after: Buffer | undefined, maxBytes: number, signal: AbortSignal): Promise<RecordPart> {
    const reply = await this.#connection.call(signal, 'RECORDS', 'RAW', after ?? '', 'BYTES', maxBytes);
    const answer = requireReply(reply, 'RECORDS RAW', this.#connection.place);
    const [sequence, next, batch] = Array.isArray(answer) ? answer : [];
    if (typeof sequence !== 'number' || !(batch instanceof Buffer))
      throw new RangeError('an answer to RECORDS that has no sequence number and no batch');
    const { session } = this.#connection;
    return { sequence, next: next instanceof Buffer ? next : undefined, batch, session };
  }

  recordsOf(metadataKey: Buffer, signal: AbortSignal): Promise<readonly Buffer[]> {
    return recordsOf(this, metadataKey, signal);
  }

  async whenDurable({ sequence, session }: RecordPart, signal: AbortSignal): Promise<boolean> {
    try {
      for (let pauseMs = 1; ; pauseMs = Math.min(50, pauseMs * 2)) {
        const durable = Number(await this.#connection.call(signal, 'SEQUENCE'));
        if (session !== this.#connection.session) return false;
        if (durable >= sequence) return true;
        await delay(pauseMs, undefined, { signal });
      }
    } catch (error) {
      signal.throwIfAborted();
      if (isTailraceError(error, 'SOURCE_UNREACHABLE')) return false;
      throw error;
    }
  }
}

/** The data of a store that are at hand as of one moment. */
export class DirectoryRecords implements RecordSource {
  readonly #data: DataReader;

  /** @param data stays its owner's */
  constructor(data: DataReader) {
    this.#data = data;
  }

  async readRecords(after: Buffer | undefined, maxBytes: number): Promise<RecordPart> {
    const batch = new WriteBatchBuilder(64 * 1024);
    const limit = { maxBytes, nowMs: Date.now() };
    const { next } = appendRawRecords(this.#data, after ?? noBytes, limit, batch);
    return { sequence: this.#data.sequence, next, batch: batch.finish(), session: 0 };
  }

  recordsOf(metadataKey: Buffer, signal: AbortSignal): Promise<readonly Buffer[]> {
    return recordsOf(this, metadataKey, signal);
  }

  async whenDurable(): Promise<boolean> {
    return true;
  }
}

/** Walks from the key on until another comes. */
const recordsOf = async (
  source: RecordSource,
  metadataKey: Buffer,
  signal: AbortSignal,
): Promise<readonly Buffer[]> => {
  const found: Buffer[] = [];
  let after: Buffer | undefined = rawCursorAt(metadataKey);
  while (after !== undefined) {
    const part: RecordPart = await source.readRecords(after, oneKeyBytes, signal);
    const { bytes, isCut } = recordsOfKey(part.batch, metadataKey);
    if (bytes !== undefined) found.push(bytes);
    after = isCut ? undefined : part.next;
  }
  return found;
};

/** The records of one key at the beginning of a batch; cut where another key begins. */
const recordsOfKey = (
  batch: Buffer,
  metadataKey: Buffer,
): { readonly bytes: Buffer | undefined; readonly isCut: boolean } => {
  const out = new WriteBatchBuilder(batch.length);
  const reader = new WriteBatchReader(batch);
  while (reader.next()) {
    const isOther = reader.columnFamily === ColumnFamily.metadata && !reader.key().equals(metadataKey);
    if (isOther) return { bytes: out.count === 0 ? undefined : out.finish(), isCut: true };
    out.put(reader.columnFamily, reader.key(), reader.value());
  }
  return { bytes: out.count === 0 ? undefined : out.finish(), isCut: false };
};

const oneKeyBytes = 256 * 1024;

const noBytes = Buffer.alloc(0);
