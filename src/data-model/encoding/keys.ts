import { readU32BigEndian, writeU32BigEndian } from '../../bytes/index.js';

/**
 * The keys of the store (big-endian):
 *
 *   metadata key   | ns_len u8 | namespace | [slot u16] | user key … |
 *   internal key   | ns_len u8 | namespace | [slot u16] | key_len u32 | user key | version u64 | sub-key … |
 *
 * Metadata keys live in column family 1, internal keys in 0, 2 and 5. `slot` is there only if Kvrocks runs with slot
 * encoding (cluster mode); the bytes do not say so. Readers must be told, or check that every metadata key carries the slot
 * of its user key (`carrySlots`). Keys written by this store have none.
 */
export const defaultNamespace = '__namespace';

/** A namespace's name is at most this long: its length is one byte. */
const maxNamespaceBytes = 255;

/** Bytes of a version, the incarnation of a complex key: microseconds since the epoch << 11 | counter. */
export const versionBytes = 8;

/** `ns_len | namespace`: what every key of the namespace starts with. Owns what it returns. */
export const namespacePrefix = (namespace: string): Buffer => {
  const name = Buffer.from(namespace);
  if (name.length > maxNamespaceBytes)
    throw new RangeError(`a namespace's name has ${name.length} bytes; at most ${maxNamespaceBytes} fit`);
  return Buffer.concat([Buffer.of(name.length), name]);
};

/** The metadata key of a user key. Owns what it returns. */
export const encodeMetadataKey = (prefix: Uint8Array, userKey: Uint8Array): Buffer => {
  const key = Buffer.allocUnsafe(prefix.length + userKey.length);
  key.set(prefix, 0);
  key.set(userKey, prefix.length);
  return key;
};

/**
 * What all internal keys of one incarnation of a user key start with, and room for a sub-key of `subKeyBytes` behind
 * it. Owns what it returns.
 */
export const encodeSubKeyPrefix = (prefix: Uint8Array, userKey: Uint8Array, version: Uint8Array): Buffer => {
  const key = Buffer.allocUnsafe(prefix.length + 4 + userKey.length + versionBytes);
  key.set(prefix, 0);
  const at = writeU32BigEndian(key, prefix.length, userKey.length);
  key.set(userKey, at);
  key.set(version, at + userKey.length);
  return key;
};

/** An internal key from its prefix (`encodeSubKeyPrefix`) and the sub-key. Owns what it returns. */
export const encodeInternalKey = (subKeyPrefix: Uint8Array, subKey: Uint8Array): Buffer => {
  const key = Buffer.allocUnsafe(subKeyPrefix.length + subKey.length);
  key.set(subKeyPrefix, 0);
  key.set(subKey, subKeyPrefix.length);
  return key;
};

export interface InternalKey {
  readonly namespace: Buffer;
  readonly userKey: Buffer;
  /** 8 bytes; equal bytes = same incarnation. */
  readonly version: Buffer;
  readonly subKey: Buffer;
}

/** How the bytes of keys are to be read. */
export interface KeyLayout {
  /** True for data of a Kvrocks with slot encoding: two bytes of slot behind the namespace. */
  readonly hasSlots: boolean;
}

const plainKeys: KeyLayout = { hasSlots: false };

/** Splits an internal key; undefined when the bytes are too short to be one. Borrows `key`. */
export const readInternalKey = (key: Buffer, layout: KeyLayout = plainKeys): InternalKey | undefined => {
  const place: InternalKeyPlace = { userKeyStart: 0, versionStart: 0, subKeyStart: 0 };
  if (!locateInternalKey(key, 0, key.length, layout, place)) return undefined;
  return {
    namespace: key.subarray(1, 1 + key[0]),
    userKey: key.subarray(place.userKeyStart, place.versionStart),
    version: key.subarray(place.versionStart, place.subKeyStart),
    subKey: key.subarray(place.subKeyStart),
  };
};

/** Where the parts of an internal key lie; the four bytes before `userKeyStart` are its length. */
export interface InternalKeyPlace {
  userKeyStart: number;
  versionStart: number;
  subKeyStart: number;
}

/**
 * Finds the parts of the internal key at `start` … `end` of `bytes`, without allocating: what decoders of whole
 * logs use. False, `place` undefined, when the bytes are too short to be an internal key.
 */
export const locateInternalKey = (
  bytes: Uint8Array,
  start: number,
  end: number,
  layout: KeyLayout,
  place: InternalKeyPlace,
): boolean => {
  if (start >= end) return false;
  const keyStart = start + 1 + bytes[start] + (layout.hasSlots ? 2 : 0) + 4;
  if (keyStart + versionBytes > end) return false;
  const versionStart = keyStart + readU32BigEndian(bytes, keyStart - 4);
  if (versionStart + versionBytes > end) return false;
  place.userKeyStart = keyStart;
  place.versionStart = versionStart;
  place.subKeyStart = versionStart + versionBytes;
  return true;
};
