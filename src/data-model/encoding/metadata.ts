import {
  readU32BigEndian,
  readU64BigEndian,
  writeU32BigEndian,
  writeU64BigEndian,
} from '../../bytes/index.js';
import type { ValueType } from '../change.js';
import { versionBytes } from './keys.js';
import { isSingleValueType, mayBeEmpty, TypeNumber, typeOfNumber } from './type-number.js';

/**
 * The value of a metadata entry (big-endian):
 *
 *   0       1               9              17          25
 *   | flags | expire u64 ms | version u64  | size u64  | what the type adds …     hash, list, set, …
 *   | flags | expire u64 ms | value …                                             string, json
 *
 * flags: bit 7 = this layout; bits 4–6 reserved, must be 0; bits 0–3 = type number. Old data without bit 7 has expire as
 * u32 seconds and size as u32; it can be read, and is rewritten in the layout above. expire 0 = never.
 */
export interface Metadata {
  readonly type: ValueType;
  /** ms since the epoch, 0 = never */
  readonly expireMs: number;
  /** 8 bytes, borrowed; empty for string and json */
  readonly version: Buffer;
  /** elements, or bytes of a bitmap; 0 for string and json */
  readonly size: number;
  /** The string's or document's bytes, or what the type adds to the common part. Borrowed. */
  readonly payload: Buffer;
}

/** Set in the flags of metadata in the current layout, beside the type. */
export const currentLayout = 0x80;
const typeMask = 0x0f;
const unknownBits = 0x70;
const currentStringFlags = currentLayout | TypeNumber.string;

/** Bytes before a string's value in the current layout. */
export const singleValueHeaderBytes = 9;
/** Bytes before what a type with sub-keys adds. */
export const complexHeaderBytes = 25;

const noVersion = Buffer.alloc(0);

/** Reads a metadata value; undefined when the bytes are no metadata. Borrows `value`. */
export const readMetadata = (value: Buffer): Metadata | undefined => readMetadataAt(value, 0, value.length);

/** Reads the metadata value at `start` … `end` of `bytes`; undefined when it is none. Borrows `bytes`. */
export const readMetadataAt = (bytes: Buffer, start: number, end: number): Metadata | undefined => {
  const place = lastPlace;
  if (!locateMetadata(bytes, start, end, place)) return undefined;
  const { type, expireMs, size, versionStart, payloadStart } = place;
  const version = versionStart < 0 ? noVersion : bytes.subarray(versionStart, versionStart + versionBytes);
  return { type, expireMs, version, size, payload: bytes.subarray(payloadStart, end) };
};

/** What a metadata value says, and where its parts lie. */
export interface MetadataPlace {
  type: ValueType;
  expireMs: number;
  /** −1 where the type has none */
  versionStart: number;
  size: number;
  payloadStart: number;
}

export const noMetadata = (): MetadataPlace => ({
  type: 'string',
  expireMs: 0,
  versionStart: -1,
  size: 0,
  payloadStart: 0,
});

/** As `readMetadataAt`, without allocating: for walks of millions. False when there is none. */
export const locateMetadata = (
  bytes: Uint8Array,
  start: number,
  end: number,
  place: MetadataPlace,
): boolean => {
  if (start >= end || (bytes[start] & unknownBits) !== 0) return false;
  const type = typeOfNumber(bytes[start] & typeMask);
  if (type === undefined) return false;
  const isCurrent = (bytes[start] & currentLayout) !== 0;
  const expireEnd = start + (isCurrent ? 9 : 5);
  const isSingle = isSingleValueType(type);
  const sizeAt = expireEnd + versionBytes;
  const payloadStart = isSingle ? expireEnd : sizeAt + (isCurrent ? 8 : 4);
  if (end < payloadStart) return false;
  const expireMs = isCurrent ? readExpiryAt(bytes, start) : readU32BigEndian(bytes, start + 1) * 1000;
  const size = isSingle ? 0 : isCurrent ? readU64BigEndian(bytes, sizeAt) : readU32BigEndian(bytes, sizeAt);
  if (Number.isNaN(size)) return false;
  place.type = type;
  place.expireMs = expireMs;
  place.versionStart = isSingle ? -1 : expireEnd;
  place.size = size;
  place.payloadStart = payloadStart;
  return true;
};

const lastPlace = noMetadata();

/** True when a string in the current layout stands at `start` … `end`: its expiry behind the flags, then its value. */
export const isStringAt = (bytes: Uint8Array, start: number, end: number): boolean =>
  bytes[start] === currentStringFlags && end - start >= singleValueHeaderBytes;

/**
 * The expiry in a metadata value of the current layout at `start`: ms since the epoch, 0 = never. Kvrocks accepts times to
 * live that end beyond 2^53 ms: these are cut to the largest safe number.
 */
export const readExpiryAt = (bytes: Uint8Array, start: number): number => {
  const expireMs = readU64BigEndian(bytes, start + 1);
  return Number.isNaN(expireMs) ? Number.MAX_SAFE_INTEGER : expireMs;
};

/** The bytes of a metadata value. Owns what it returns. */
export const encodeMetadata = (metadata: Metadata): Buffer => {
  const header = metadataHeader(metadata);
  const value = Buffer.allocUnsafe(header.length + metadata.payload.length);
  value.set(header, 0);
  value.set(metadata.payload, header.length);
  return value;
};

/**
 * What stands before the payload in a metadata value, with another size where one is given: all but the last field of
 * the layout. Borrowed until the next call. Hot: every command that changes a complex key.
 */
export const metadataHeader = (metadata: Metadata, size = metadata.size): Uint8Array => {
  if (isSingleValueType(metadata.type)) {
    writeMetadataHeader(singleHeader, TypeNumber[metadata.type], metadata.expireMs);
    return singleHeader;
  }
  writeMetadataHeader(complexHeader, TypeNumber[metadata.type], metadata.expireMs);
  for (let i = 0; i < versionBytes; i++) complexHeader[singleValueHeaderBytes + i] = metadata.version[i];
  writeU64BigEndian(complexHeader, singleValueHeaderBytes + versionBytes, size);
  return complexHeader;
};

const singleHeader = Buffer.alloc(singleValueHeaderBytes);
const complexHeader = Buffer.alloc(complexHeaderBytes);

/** Writes flags and expire, what all metadata values start with; returns the offset behind (9). */
export const writeMetadataHeader = (target: Uint8Array, type: TypeNumber, expireMs: number): number => {
  target[0] = currentLayout | type;
  if (expireMs !== 0) return writeU64BigEndian(target, 1, expireMs);
  writeU32BigEndian(target, 1, 0);
  return writeU32BigEndian(target, 5, 0);
};

/** True when the time has come. The log never holds a delete for it. */
export const isExpired = (expireMs: number, nowMs: number): boolean => expireMs !== 0 && expireMs < nowMs;

/** True when a key with this metadata exists for a reader at `nowMs`. */
export const isAlive = (metadata: Pick<Metadata, 'type' | 'expireMs' | 'size'>, nowMs: number): boolean =>
  !isExpired(metadata.expireMs, nowMs) && (metadata.size > 0 || mayBeEmpty(metadata.type));
