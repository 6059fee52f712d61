import { readU32, readU64, readVarint32 } from '../bytes/index.js';
import { TailraceError } from '../errors/index.js';
import { batchHeaderBytes, RecordKind, RecordTag } from './record-kind.js';

/**
 * Walks the records of one serialized WriteBatch without copying or allocating: `next` moves to a record and
 * the fields tell its kind and where its key and value lie in `bytes`. Layout: see WriteBatchBuilder.
 *
 * Everything is borrowed from `bytes`. Malformed bytes throw `BATCH_CORRUPT` or `BATCH_RECORD_UNKNOWN` with
 * the offset; nothing is ever skipped.
 *
 * @example
 * const reader = new WriteBatchReader(bytes);
 * while (reader.next()) if (reader.kind === RecordKind.Put) store(reader.columnFamily, reader.key(), reader.value());
 */
export class WriteBatchReader {
  kind: RecordKind = RecordKind.LogData;
  columnFamily = 0;
  keyStart = 0;
  keyEnd = 0;
  valueStart = 0;
  valueEnd = 0;
  /** Position of the current record among the counted ones, from 0: its sequence is `sequence + index`. */
  index = -1;

  sequence = 0;
  count = 0;
  /** The bytes that `keyStart` and the other offsets refer to. */
  bytes: Buffer = noBytes;
  readonly #cursor: { bytes: Uint8Array; offset: number; end: number } = {
    bytes: noBytes,
    offset: 0,
    end: 0,
  };
  #start = 0;
  #counted = 0;

  /** Reads the header at once. @throws TailraceError `BATCH_CORRUPT` when it is too short or out of range. */
  constructor(bytes?: Uint8Array) {
    if (bytes === undefined) return;
    const buffer = Buffer.isBuffer(bytes)
      ? bytes
      : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.reset(buffer, 0, buffer.length);
  }

  /** Starts over with the batch that lies in `bytes` from `start` to `end`; makes no garbage. Throws as the constructor. */
  reset(bytes: Buffer, start: number, end: number): void {
    if (end - start < batchHeaderBytes) throw corrupt('too small', end - start);
    this.bytes = bytes;
    this.sequence = readU64(bytes, start);
    if (Number.isNaN(this.sequence)) throw corrupt('sequence number exceeds 2^53 - 1', 0);
    this.count = readU32(bytes, start + 8);
    this.index = -1;
    this.#start = start;
    this.#counted = 0;
    const cursor = this.#cursor;
    cursor.bytes = bytes;
    cursor.offset = start + batchHeaderBytes;
    cursor.end = end;
  }

  /** Lets go of the batch, after which only `reset` may follow. */
  release(): void {
    this.bytes = noBytes;
    this.#cursor.bytes = noBytes;
  }

  /** Moves to the next record; false at the end, where the count of the header is checked as well. */
  next(): boolean {
    const cursor = this.#cursor;
    if (cursor.offset >= cursor.end) {
      if (this.#counted !== this.count)
        throw corrupt(`header counts ${this.count} records, found ${this.#counted}`, 8);
      return false;
    }
    const at = cursor.offset;
    const tag = cursor.bytes[at];
    cursor.offset = at + 1;
    this.columnFamily = 0;
    const fields = fieldsOfTag[tag] ?? unknownTag;
    if (fields === unknownTag) throw unknownRecord(tag, at - this.#start);
    if (fields & field.columnFamily) this.#readColumnFamily(at);
    if (fields & field.key) this.#readKey(at);
    else this.keyStart = this.keyEnd = at;
    if (fields & field.value) this.#readValue(at);
    else this.valueStart = this.valueEnd = cursor.offset;
    if (fields & field.counted) this.index = this.#counted++;
    this.kind = kindOfTag[tag];
    return true;
  }

  /** The current record's key (for DeleteRange the begin). Borrowed. */
  key(): Buffer {
    return this.bytes.subarray(this.keyStart, this.keyEnd);
  }

  /** The current record's value (for DeleteRange the end, for LogData the blob). Borrowed. */
  value(): Buffer {
    return this.bytes.subarray(this.valueStart, this.valueEnd);
  }

  #readColumnFamily(at: number): void {
    const id = readVarint32(this.#cursor);
    if (id < 0) throw corrupt('bad column family', at - this.#start);
    this.columnFamily = id;
  }

  #readKey(at: number): void {
    const cursor = this.#cursor;
    const length = readVarint32(cursor);
    if (length < 0 || length > cursor.end - cursor.offset) throw corrupt('bad key length', at - this.#start);
    this.keyStart = cursor.offset;
    this.keyEnd = cursor.offset += length;
  }

  #readValue(at: number): void {
    const cursor = this.#cursor;
    const length = readVarint32(cursor);
    if (length < 0 || length > cursor.end - cursor.offset)
      throw corrupt('bad value length', at - this.#start);
    this.valueStart = cursor.offset;
    this.valueEnd = cursor.offset += length;
  }
}

/**
 * Walks a whole batch and checks every record, before anything is done with it.
 * @throws TailraceError `BATCH_CORRUPT` or `BATCH_RECORD_UNKNOWN` with the offset.
 */
export const validateWriteBatch = (bytes: Uint8Array): { sequence: number; count: number } => {
  const reader = new WriteBatchReader(bytes);
  while (reader.next());
  return { sequence: reader.sequence, count: reader.count };
};

const corrupt = (reason: string, offset: number): TailraceError =>
  new TailraceError('BATCH_CORRUPT', `malformed WriteBatch (${reason}) at offset ${offset}`, {
    context: { offset, reason },
    remedy: 'The bytes are damaged or incomplete; nothing of this batch was applied.',
  });

const noBytes = Buffer.alloc(0);

const unknownRecord = (tag: number, offset: number): TailraceError =>
  new TailraceError(
    'BATCH_RECORD_UNKNOWN',
    `unknown WriteBatch record tag 0x${tag.toString(16).padStart(2, '0')} at offset ${offset}`,
    {
      context: { offset, tag },
      remedy: 'The bytes are damaged, or written by a newer RocksDB than this version reads.',
    },
  );

/** Which fields follow a tag, in this order; `counted` records take a sequence number. */
const field = { columnFamily: 1, key: 2, value: 4, counted: 8 } as const;
const unknownTag = 0xff;
const fieldsOfTag = new Uint8Array(256).fill(unknownTag);
const kindOfTag: RecordKind[] = [];

const define = (kind: RecordKind, fields: number, shortTag: number, tagInCf?: number): void => {
  fieldsOfTag[shortTag] = fields;
  kindOfTag[shortTag] = kind;
  if (tagInCf === undefined) return;
  fieldsOfTag[tagInCf] = fields | field.columnFamily;
  kindOfTag[tagInCf] = kind;
};

const keyOnly = field.key | field.counted;
const keyAndValue = keyOnly | field.value;
define(RecordKind.Put, keyAndValue, RecordTag.Put, RecordTag.PutInCf);
define(RecordKind.Delete, keyOnly, RecordTag.Delete, RecordTag.DeleteInCf);
define(RecordKind.SingleDelete, keyOnly, RecordTag.SingleDelete, RecordTag.SingleDeleteInCf);
define(RecordKind.DeleteRange, keyAndValue, RecordTag.DeleteRange, RecordTag.DeleteRangeInCf);
define(RecordKind.Merge, keyAndValue, RecordTag.Merge, RecordTag.MergeInCf);
define(RecordKind.BlobIndex, keyAndValue, RecordTag.BlobIndex, RecordTag.BlobIndexInCf);
define(RecordKind.WideColumnEntity, keyAndValue, RecordTag.WideColumnEntity, RecordTag.WideColumnEntityInCf);
define(RecordKind.TimedPut, keyAndValue | field.columnFamily, RecordTag.TimedPutInCf);
define(RecordKind.LogData, field.value, RecordTag.LogData);
for (const tag of [RecordTag.EndPrepare, RecordTag.Commit, RecordTag.Rollback])
  define(RecordKind.TransactionMarker, field.value, tag);
for (const tag of [
  RecordTag.BeginPrepare,
  RecordTag.BeginPersistedPrepare,
  RecordTag.BeginUnprepare,
  RecordTag.Noop,
])
  define(RecordKind.TransactionMarker, 0, tag);
define(RecordKind.TransactionMarker, field.key | field.value, RecordTag.CommitWithTimestamp);
