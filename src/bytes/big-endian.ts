/**
 * 64-bit big-endian integers, as Kvrocks' keys and values hold them so that they sort bytewise.
 * `number` inside, for all that counts or names a millisecond.
 */

/** Reads a u64 big-endian at `offset`; NaN when it exceeds 2^53 − 1. */
export const readU64BigEndian = (bytes: Uint8Array, offset: number): number => {
  const high = readU32BigEndian(bytes, offset);
  return high > 0x1fffff ? Number.NaN : high * 0x1_0000_0000 + readU32BigEndian(bytes, offset + 4);
};

/** Writes `value` (0 … 2^53 − 1); returns the offset behind it. */
export const writeU64BigEndian = (target: Uint8Array, offset: number, value: number): number => {
  const high = Math.floor(value / 0x1_0000_0000);
  writeU32BigEndian(target, offset, high);
  return writeU32BigEndian(target, offset + 4, value - high * 0x1_0000_0000); // faster than a remainder of doubles
};

/** Reads 32 bits, unsigned. The caller has checked that they are there. */
export const readU32BigEndian = (bytes: Uint8Array, offset: number): number =>
  ((bytes[offset] << 24) | (bytes[offset + 1] << 16) | (bytes[offset + 2] << 8) | bytes[offset + 3]) >>> 0;

/** Writes the low 32 bits of `value`; returns the offset behind them. */
export const writeU32BigEndian = (target: Uint8Array, offset: number, value: number): number => {
  target[offset] = value >>> 24;
  target[offset + 1] = value >>> 16;
  target[offset + 2] = value >>> 8;
  target[offset + 3] = value;
  return offset + 4;
};
