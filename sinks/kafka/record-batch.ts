import { ByteWriter, crc32c } from '../../src/kit/index.js';
import type { Codec } from './compression.js';

/** Who produces: given by a broker; the epoch tells a producer from its successors under one transactional id. */
export interface ProducerIdentity {
  readonly producerId: bigint;
  readonly producerEpoch: number;
}

export interface BatchStamp extends ProducerIdentity {
  /** Number of the first record in the producer's sequence for the partition. */
  readonly sequence: number;
  readonly timestampMs: number;
  readonly isTransactional: boolean;
}

/**
 * Records of one partition on their way into a record batch, version 2:
 *
 *    0            8        12      16      17      21           23
 *    | base offset | length | epoch | magic | crc32c | attributes | last offset delta …
 *      i64 = 0       i32      i32=-1  i8=2    u32      i16          i32
 *    27              35              43            51       53         57       61
 *    | base timestamp | max timestamp | producer id | epoch  | sequence | count  | records …
 *      i64              i64             i64           i16      i32        i32
 *
 * All big-endian; `length` counts what follows it, `crc32c` covers what follows it. Attributes: bits 0–2 compression
 * (of the records alone), bit 4 transactional. A record:
 *
 *    length varint · attributes i8 = 0 · timestamp delta varint = 0 · offset delta varint
 *    · key length varint, key · value length varint, value · headers: count varint, each name and value with lengths
 *
 * Varints are zigzag; a length of −1 stands for null. kafkajs makes several objects and buffers of each record; this
 * writes each record once, in place. Hot; measured by bench `kafka-sink`.
 */
export class RecordBatchBuilder {
  readonly #out = new ByteWriter(initialBytes);
  #count = 0;

  constructor() {
    this.clear();
  }

  get count(): number {
    return this.#count;
  }

  /** Of the batch, without compression. */
  get byteLength(): number {
    return this.#out.length;
  }

  clear(): void {
    this.#out.clear();
    this.#out.claim(headerBytes);
    this.#out.advance(headerBytes);
    this.#count = 0;
  }

  /** `headers` as `encodeHeaders` makes them. */
  append(key: Uint8Array | null, value: Uint8Array | null, headers: Uint8Array = noHeaders): void {
    const body = 2 + varintBytes(this.#count) + fieldBytes(key) + fieldBytes(value) + headers.length;
    const out = this.#out;
    const bytes = out.claim(body + maxVarintBytes);
    let at = writeVarint(bytes, out.length, body);
    bytes[at++] = 0; // attributes
    bytes[at++] = 0; // timestamp delta
    at = writeVarint(bytes, at, this.#count);
    at = writeField(bytes, at, key);
    at = writeField(bytes, at, value);
    for (let i = 0; i < headers.length; i++) bytes[at++] = headers[i];
    out.advance(at);
    this.#count++;
  }

  /** The batch. Borrowed until the builder is cleared, unless it is compressed. */
  async finish(stamp: BatchStamp, codec?: Codec): Promise<Buffer> {
    const plain = this.#out.bytes;
    if (codec === undefined) return this.#seal(plain, stamp, 0);
    const compressed = await codec.compress(plain.subarray(headerBytes));
    return this.#seal(Buffer.concat([Buffer.alloc(headerBytes), compressed]), stamp, codec.attribute);
  }

  #seal(batch: Buffer, stamp: BatchStamp, attributes: number): Buffer {
    batch.writeBigInt64BE(0n, 0);
    batch.writeInt32BE(batch.length - lengthCountsFrom, 8);
    batch.writeInt32BE(-1, 12);
    batch[16] = 2;
    batch.writeInt16BE(attributes | (stamp.isTransactional ? transactionalAttribute : 0), 21);
    batch.writeInt32BE(this.#count - 1, 23);
    const timestamp = BigInt(stamp.timestampMs);
    batch.writeBigInt64BE(timestamp, 27);
    batch.writeBigInt64BE(timestamp, 35);
    batch.writeBigInt64BE(stamp.producerId, 43);
    batch.writeInt16BE(stamp.producerEpoch, 51);
    batch.writeInt32BE(stamp.sequence, 53);
    batch.writeInt32BE(this.#count, 57);
    batch.writeUInt32BE(crc32c(batch, crcCoversFrom), 17);
    return batch;
  }
}

/** Most bytes that a record of these sizes takes in a batch. */
export const recordBytes = (key: Uint8Array | null, value: Uint8Array | null, headers = noHeaders): number =>
  maxVarintBytes * 4 + 2 + (key?.length ?? 0) + (value?.length ?? 0) + headers.length;

/** A batch that holds one record of these sizes. */
export const batchHeaderBytes = 61;

/** Record headers, encoded: their count, then each name and value. */
export const encodeHeaders = (
  headers: readonly (readonly [name: string, value: Uint8Array])[],
): Uint8Array => {
  if (headers.length === 0) return noHeaders;
  const fields = headers.flatMap(([name, value]) => [Buffer.from(name), value]);
  const length = fields.reduce((total, field) => total + fieldBytes(field), varintBytes(headers.length));
  const bytes = Buffer.alloc(length);
  let at = writeVarint(bytes, 0, headers.length);
  for (const field of fields) at = writeField(bytes, at, field);
  return bytes;
};

/**
 * The sequence number `count` records behind `sequence`. Sequences go from 0 to 2^31 − 1 and then on from 0, without a
 * jump: a broker takes nothing but the next number.
 */
export const sequenceAfter = (sequence: number, count: number): number => (sequence + count) % 2 ** 31;

const fieldBytes = (field: Uint8Array | null): number =>
  field === null ? 1 : varintBytes(field.length) + field.length;

const writeField = (bytes: Buffer, start: number, field: Uint8Array | null): number => {
  if (field === null) {
    bytes[start] = 1; // −1, zigzag
    return start + 1;
  }
  const { length } = field;
  const at = writeVarint(bytes, start, length);
  if (length > shortBytes) bytes.set(field, at);
  else for (let i = 0; i < length; i++) bytes[at + i] = field[i];
  return at + length;
};

/** A number from 0, zigzag. */
const writeVarint = (bytes: Buffer, start: number, value: number): number => {
  let at = start;
  let rest = value * 2;
  while (rest > 0x7f) {
    bytes[at++] = (rest & 0x7f) | 0x80;
    rest = Math.floor(rest / 128);
  }
  bytes[at++] = rest;
  return at;
};

const varintBytes = (value: number): number =>
  value < 64 ? 1 : value < 8_192 ? 2 : value < 1_048_576 ? 3 : value < 134_217_728 ? 4 : 5;

const headerBytes = batchHeaderBytes;
/** `length` counts what stands behind it. */
const lengthCountsFrom = 12;
const crcCoversFrom = 21;
const transactionalAttribute = 0x10;
const maxVarintBytes = 5;
const shortBytes = 48;
const initialBytes = 4 * 1024;
/** A count of 0. */
const noHeaders: Uint8Array = new Uint8Array(1);
