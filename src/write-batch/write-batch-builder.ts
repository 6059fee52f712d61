import { maxVarint32Bytes, readU32, readU64, writeU32, writeU64, writeVarint32 } from '../bytes/index.js';
import { batchHeaderBytes, RecordKind, RecordTag } from './record-kind.js';
import { placeFields } from './record-places.js';

/**
 * Builds the bytes of one RocksDB WriteBatch (RocksDB write_batch.cc):
 *
 *   0            8        12
 *   | sequence   | count  | records …          sequence u64 LE: of the first counted record
 *                                              count u32 LE: number of counted records
 *   record := tag u8 · [column family varint32] · key str · [value str]
 *   str    := length varint32 · bytes
 *
 * A record of column family 0 has the short tag and no family field. LogData is not counted.
 * `finish` returns the bytes; the engine writes the sequence into them when it commits.
 */
export class WriteBatchBuilder {
  #bytes: Buffer;
  #length = batchHeaderBytes;
  #count = 0;
  /** What `finish` returned last: batches of one shape have one length, and a view costs. */
  #finished: Buffer = noBytes;
  #places: Int32Array<ArrayBuffer> = new Int32Array(placeFields * 8);
  #placesEnd = 0;
  #knowsPlaces = true;

  constructor(capacityBytes = 256) {
    this.#bytes = Buffer.allocUnsafe(Math.max(capacityBytes, batchHeaderBytes));
  }

  /** Counted records so far: the number of sequence numbers that the batch will take. */
  get count(): number {
    return this.#count;
  }

  get byteLength(): number {
    return this.#length;
  }

  /** The buffer in which the batch is built; it takes up the first `byteLength` bytes. Borrowed: reused for many batches. */
  get memory(): Buffer {
    return this.#bytes;
  }

  /**
   * Where the counted records lie in `memory`: `placeFields` numbers for each (record-places.ts), up to `placesEnd`.
   * Whoever applies the batch need not parse it again. Borrowed. Undefined when not all places are known.
   */
  get places(): Int32Array<ArrayBuffer> | undefined {
    return this.#knowsPlaces ? this.#places : undefined;
  }

  get placesEnd(): number {
    return this.#placesEnd;
  }

  /** True when nothing was added, not even LogData. */
  get isEmpty(): boolean {
    return this.#length === batchHeaderBytes;
  }

  put(columnFamily: number, key: Uint8Array, value: Uint8Array): this {
    this.#start(columnFamily, RecordTag.Put, RecordTag.PutInCf, key.length + value.length);
    this.#string(key);
    const keyEnd = this.#length;
    this.#string(value);
    this.#place(RecordKind.Put, columnFamily, keyEnd, key.length, value.length);
    return this;
  }

  /**
   * `put` of a key and a value that each come in two parts, without joining them first.
   * Hot: every string that is written; measured by bench `server`.
   */
  putJoined(
    columnFamily: number,
    keyStart: Uint8Array,
    keyEnd: Uint8Array,
    valueStart: Uint8Array,
    valueEnd: Uint8Array,
  ): this {
    const keyBytes = keyStart.length + keyEnd.length;
    const valueBytes = valueStart.length + valueEnd.length;
    this.#start(columnFamily, RecordTag.Put, RecordTag.PutInCf, keyBytes + valueBytes);
    this.#joined(keyStart, keyEnd);
    const keyEndAt = this.#length;
    this.#joined(valueStart, valueEnd);
    this.#place(RecordKind.Put, columnFamily, keyEndAt, keyBytes, valueBytes);
    return this;
  }

  delete(columnFamily: number, key: Uint8Array): this {
    this.#start(columnFamily, RecordTag.Delete, RecordTag.DeleteInCf, key.length);
    this.#string(key);
    this.#place(RecordKind.Delete, columnFamily, this.#length, key.length, 0);
    return this;
  }

  singleDelete(columnFamily: number, key: Uint8Array): this {
    this.#start(columnFamily, RecordTag.SingleDelete, RecordTag.SingleDeleteInCf, key.length);
    this.#string(key);
    this.#place(RecordKind.SingleDelete, columnFamily, this.#length, key.length, 0);
    return this;
  }

  /** Deletes every key from `begin` up to, not including, `end`. */
  deleteRange(columnFamily: number, begin: Uint8Array, end: Uint8Array): this {
    this.#start(columnFamily, RecordTag.DeleteRange, RecordTag.DeleteRangeInCf, begin.length + end.length);
    this.#string(begin);
    const beginEnd = this.#length;
    this.#string(end);
    this.#place(RecordKind.DeleteRange, columnFamily, beginEnd, begin.length, end.length);
    return this;
  }

  merge(columnFamily: number, key: Uint8Array, operand: Uint8Array): this {
    this.#start(columnFamily, RecordTag.Merge, RecordTag.MergeInCf, key.length + operand.length);
    this.#string(key);
    this.#string(operand);
    this.#knowsPlaces = false;
    return this;
  }

  /** A note that travels in the log with the batch; it changes nothing and takes no sequence number. */
  logData(blob: Uint8Array): this {
    this.#reserve(1 + maxVarint32Bytes + blob.length);
    this.#bytes[this.#length++] = RecordTag.LogData;
    this.#string(blob);
    return this;
  }

  /** Appends all records of another batch's bytes; its header's sequence is ignored. */
  append(batch: Uint8Array): this {
    this.#reserve(batch.length);
    this.#bytes.set(batch.subarray(batchHeaderBytes), this.#length);
    this.#length += batch.length - batchHeaderBytes;
    this.#count += readU32(batch, 8);
    this.#knowsPlaces = false;
    return this;
  }

  clear(): void {
    this.#length = batchHeaderBytes;
    this.#count = 0;
    this.#placesEnd = 0;
    this.#knowsPlaces = true;
    if (this.#places.length > mostKeptPlaces) this.#places = new Int32Array(placeFields * 8);
    if (this.#bytes.length > mostKeptBytes) {
      this.#bytes = Buffer.allocUnsafe(256);
      this.#finished = noBytes;
    }
  }

  /** The batch's bytes with `sequence` in the header. Borrowed: valid until the builder is used again. */
  finish(sequence = 0): Buffer {
    writeU64(this.#bytes, 0, sequence);
    writeU32(this.#bytes, 8, this.#count);
    if (this.#finished.length !== this.#length) this.#finished = this.#bytes.subarray(0, this.#length);
    return this.#finished;
  }

  #start(columnFamily: number, shortTag: number, tagInCf: number, payloadBytes: number): void {
    this.#reserve(1 + 3 * maxVarint32Bytes + payloadBytes);
    if (columnFamily === 0) {
      this.#bytes[this.#length++] = shortTag;
    } else {
      this.#bytes[this.#length++] = tagInCf;
      this.#length = writeVarint32(this.#bytes, this.#length, columnFamily);
    }
    this.#count++;
  }

  /** Notes where the record that was just written lies. */
  #place(kind: RecordKind, columnFamily: number, keyEnd: number, keyBytes: number, valueBytes: number): void {
    if (this.#placesEnd === this.#places.length) {
      const more = new Int32Array(this.#places.length * 2);
      more.set(this.#places);
      this.#places = more;
    }
    const places = this.#places;
    const at = this.#placesEnd;
    places[at] = kind;
    places[at + 1] = columnFamily;
    places[at + 2] = keyEnd - keyBytes;
    places[at + 3] = keyEnd;
    places[at + 4] = this.#length - valueBytes;
    places[at + 5] = this.#length;
    this.#placesEnd = at + placeFields;
  }

  #string(bytes: Uint8Array): void {
    this.#length = copyTo(this.#bytes, writeVarint32(this.#bytes, this.#length, bytes.length), bytes);
  }

  #joined(start: Uint8Array, end: Uint8Array): void {
    const at = writeVarint32(this.#bytes, this.#length, start.length + end.length);
    this.#length = copyTo(this.#bytes, copyTo(this.#bytes, at, start), end);
  }

  #reserve(more: number): void {
    const needed = this.#length + more;
    if (needed <= this.#bytes.length) return;
    const grown = Buffer.allocUnsafe(Math.max(needed, this.#bytes.length * 2));
    this.#bytes.copy(grown, 0, 0, this.#length);
    this.#bytes = grown;
    this.#finished = noBytes;
  }
}

const noBytes = Buffer.alloc(0);
/** Memory that grew beyond this for one huge batch is not kept. */
const mostKeptPlaces = 1 << 16;
const mostKeptBytes = 32 * 1024 * 1024;

/** Returns where the copy ends. For the few bytes of most keys a loop is faster than a call of `set`. */
const copyTo = (target: Buffer, at: number, bytes: Uint8Array): number => {
  const { length } = bytes;
  if (length > longestLooped) target.set(bytes, at);
  else for (let i = 0; i < length; i++) target[at + i] = bytes[i];
  return at + length;
};

const longestLooped = 32;

/** The header's sequence number; NaN when it exceeds 2^53 − 1. */
export const batchSequence = (batch: Uint8Array): number => readU64(batch, 0);

/** The header's count of records. */
export const batchCount = (batch: Uint8Array): number => readU32(batch, 8);

/** Overwrites the header's sequence number in place. */
export const setBatchSequence = (batch: Uint8Array, sequence: number): void => writeU64(batch, 0, sequence);
