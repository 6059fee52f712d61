import { type ByteCursor, maxVarint32Bytes, readVarint32, writeVarint32 } from '../../bytes/index.js';

/** The id of a stream entry; both halves are u64, written big-endian, so that ids sort bytewise. */
export interface StreamId {
  readonly ms: bigint;
  readonly seq: bigint;
}

export const streamIdBytes = 16;
export const smallestStreamId: StreamId = { ms: 0n, seq: 0n };
const maxU64 = 0xffff_ffff_ffff_ffffn;
export const largestStreamId: StreamId = { ms: maxU64, seq: maxU64 };

export const readStreamId = (bytes: Buffer, offset: number): StreamId => ({
  ms: bytes.readBigUInt64BE(offset),
  seq: bytes.readBigUInt64BE(offset + 8),
});

/** Writes an id; returns the offset behind it. */
export const writeStreamId = (target: Buffer, offset: number, id: StreamId): number =>
  target.writeBigUInt64BE(id.seq, target.writeBigUInt64BE(id.ms, offset));

/** The sub-key of an entry. Owns what it returns. */
export const encodeStreamId = (id: StreamId): Buffer => {
  const subKey = Buffer.allocUnsafe(streamIdBytes);
  writeStreamId(subKey, 0, id);
  return subKey;
};

/** As clients write it: `ms-seq`. */
export const streamIdText = (id: StreamId): string => `${id.ms}-${id.seq}`;

export const compareStreamIds = (a: StreamId, b: StreamId): number =>
  a.ms === b.ms ? (a.seq < b.seq ? -1 : a.seq > b.seq ? 1 : 0) : a.ms < b.ms ? -1 : 1;

/**
 * What a stream's metadata adds (big-endian): five ids of 16 bytes, then two u64.
 *
 *   0                16               32              48             64             80              88
 *   | last generated | recorded first | max deleted   | first entry  | last entry   | entries added | groups |
 */
export interface StreamState {
  readonly lastGeneratedId: StreamId;
  readonly recordedFirstId: StreamId;
  readonly maxDeletedId: StreamId;
  readonly firstId: StreamId;
  readonly lastId: StreamId;
  readonly entriesAdded: bigint;
  readonly groupCount: bigint;
}

const streamStateBytes = 5 * streamIdBytes + 16;

export const newStreamState: StreamState = {
  lastGeneratedId: smallestStreamId,
  recordedFirstId: smallestStreamId,
  maxDeletedId: smallestStreamId,
  firstId: smallestStreamId,
  lastId: smallestStreamId,
  entriesAdded: 0n,
  groupCount: 0n,
};

/** Reads what a stream's metadata adds; undefined when the bytes are none. Old data may lack `groups`. */
export const readStreamState = (payload: Buffer): StreamState | undefined => {
  if (payload.length < streamStateBytes - 8) return undefined;
  return {
    lastGeneratedId: readStreamId(payload, 0),
    recordedFirstId: readStreamId(payload, 16),
    maxDeletedId: readStreamId(payload, 32),
    firstId: readStreamId(payload, 48),
    lastId: readStreamId(payload, 64),
    entriesAdded: payload.readBigUInt64BE(80),
    groupCount: payload.length < streamStateBytes ? 0n : payload.readBigUInt64BE(88),
  };
};

export const encodeStreamState = (state: StreamState): Buffer => {
  const payload = Buffer.allocUnsafe(streamStateBytes);
  writeStreamId(payload, 0, state.lastGeneratedId);
  writeStreamId(payload, 16, state.recordedFirstId);
  writeStreamId(payload, 32, state.maxDeletedId);
  writeStreamId(payload, 48, state.firstId);
  writeStreamId(payload, 64, state.lastId);
  payload.writeBigUInt64BE(state.entriesAdded, 80);
  payload.writeBigUInt64BE(state.groupCount, 88);
  return payload;
};

/**
 * The value of an entry: field, value, field, value … each as varint32 length and bytes.
 * Undefined when the bytes are none. Borrows `value`.
 */
export const readStreamFields = (value: Buffer): Buffer[] | undefined => {
  const cursor: ByteCursor = { bytes: value, offset: 0, end: value.length };
  const fields: Buffer[] = [];
  while (cursor.offset < cursor.end) {
    const length = readVarint32(cursor);
    if (length < 0 || length > cursor.end - cursor.offset) return undefined;
    fields.push(value.subarray(cursor.offset, cursor.offset + length));
    cursor.offset += length;
  }
  return fields;
};

export const encodeStreamFields = (fields: readonly Uint8Array[]): Buffer => {
  const capacity = fields.reduce((sum, field) => sum + maxVarint32Bytes + field.length, 0);
  const value = Buffer.allocUnsafe(capacity);
  let at = 0;
  for (const field of fields) {
    at = writeVarint32(value, at, field.length);
    value.set(field, at);
    at += field.length;
  }
  return value.subarray(0, at);
};
