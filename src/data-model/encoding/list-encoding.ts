import { readU32BigEndian, writeU32BigEndian } from '../../bytes/index.js';

/**
 * Lists (big-endian): metadata adds
 *
 *   0          8          16
 *   | head u64 | tail u64 |      elements are head … tail − 1
 *
 * and each element lies under the sub-key `index u64`. A new list has head = tail = 2^63 − 1; RPUSH writes at
 * tail, LPUSH at head − 1. Positions are kept here as `number` relative to 2^63, so that a new list starts at
 * −1; a list may move 2^53 places in either direction. Of a list without elements head may lie behind tail.
 */
export interface ListEnds {
  readonly head: number;
  readonly tail: number;
}

export const newListEnds: ListEnds = { head: -1, tail: -1 };

export const listPositionBytes = 8;

/** Reads what a list's metadata adds; undefined when the bytes are none. */
export const readListEnds = (payload: Uint8Array): ListEnds | undefined => {
  if (payload.length < 2 * listPositionBytes) return undefined;
  const head = readListPosition(payload, 0);
  const tail = readListPosition(payload, listPositionBytes);
  return Number.isSafeInteger(head) && Number.isSafeInteger(tail) ? { head, tail } : undefined;
};

export const encodeListEnds = (ends: ListEnds): Buffer => {
  const payload = Buffer.allocUnsafe(2 * listPositionBytes);
  writeListEnds(payload, ends);
  return payload;
};

/** Writes what a list's metadata adds to the start of `target`. */
export const writeListEnds = (target: Uint8Array, ends: ListEnds): void => {
  writeListPosition(target, 0, ends.head);
  writeListPosition(target, listPositionBytes, ends.tail);
};

/** Reads a position (relative to 2^63) at `offset`. */
export const readListPosition = (bytes: Uint8Array, offset: number): number =>
  (readU32BigEndian(bytes, offset) - 0x8000_0000) * 0x1_0000_0000 + readU32BigEndian(bytes, offset + 4);

/** Writes a position (relative to 2^63); returns the offset behind it. */
export const writeListPosition = (target: Uint8Array, offset: number, position: number): number => {
  const high = Math.floor(position / 0x1_0000_0000);
  writeU32BigEndian(target, offset, high + 0x8000_0000);
  return writeU32BigEndian(target, offset + 4, position - high * 0x1_0000_0000);
};
