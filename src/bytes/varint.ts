import type { ByteCursor } from './byte-cursor.js';

/** The longest varint32: ceil(32 / 7) bytes. */
export const maxVarint32Bytes = 5;

/** Writes `value` (u32) at `offset`, 7 bits a byte, low first, high bit = more follow; returns the offset behind it. */
export const writeVarint32 = (target: Uint8Array, offset: number, value: number): number => {
  let rest = value >>> 0;
  let at = offset;
  while (rest >= 0x80) {
    target[at++] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  target[at++] = rest;
  return at;
};

/**
 * Reads a varint32 at the cursor and moves it behind. Returns -1, the cursor unmoved, when the bytes end
 * first or the number exceeds 32 bits.
 */
export const readVarint32 = (cursor: ByteCursor): number => {
  const { bytes, end } = cursor;
  let at = cursor.offset;
  let value = 0;
  for (let shift = 0; shift <= 28; shift += 7) {
    if (at >= end) return -1;
    const byte = bytes[at++];
    if (shift === 28 && byte > 0x0f) return -1;
    value |= (byte & 0x7f) << shift;
    if (byte < 0x80) {
      cursor.offset = at;
      return value >>> 0;
    }
  }
  return -1;
};

/**
 * Reads a varint64 at the cursor and moves it behind. Returns -1, the cursor unmoved, when the bytes end first or the
 * number exceeds 2^53 − 1.
 */
export const readVarint64 = (cursor: ByteCursor): number => {
  const { bytes, end } = cursor;
  let at = cursor.offset;
  let value = 0;
  for (let factor = 1; at < end && factor <= 2 ** 49; factor *= 128) {
    const byte = bytes[at++];
    value += (byte & 0x7f) * factor;
    if (byte >= 0x80) continue;
    if (!Number.isSafeInteger(value)) return -1;
    cursor.offset = at;
    return value;
  }
  return -1;
};
