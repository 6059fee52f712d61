/**
 * Reads a u64 little-endian at `offset`; NaN when it exceeds 2^53 − 1. Sequence numbers are u64 on disk and on the wire,
 * `number` inside: reaching 2^53 writes would take centuries, so a larger one is damage.
 */
export const readU64 = (bytes: Uint8Array, offset: number): number => {
  const low = readU32(bytes, offset);
  const high = readU32(bytes, offset + 4);
  return high > 0x1fffff ? Number.NaN : high * 0x1_0000_0000 + low;
};

/** Writes a number up to 2^53 - 1 as 64 bits. */
export const writeU64 = (target: Uint8Array, offset: number, value: number): void => {
  const high = Math.floor(value / 0x1_0000_0000);
  writeU32(target, offset, value - high * 0x1_0000_0000); // faster than a remainder of doubles
  writeU32(target, offset + 4, high);
};

/** Reads 32 bits, unsigned. The caller has checked that they are there. */
export const readU32 = (bytes: Uint8Array, offset: number): number =>
  (bytes[offset] | (bytes[offset + 1] << 8) | (bytes[offset + 2] << 16) | (bytes[offset + 3] << 24)) >>> 0;

/** Writes the low 32 bits of `value`. */
export const writeU32 = (target: Uint8Array, offset: number, value: number): void => {
  target[offset] = value;
  target[offset + 1] = value >>> 8;
  target[offset + 2] = value >>> 16;
  target[offset + 3] = value >>> 24;
};
