/**
 * A double whose big-endian bytes sort as the numbers do (Kvrocks' score encoding).
 *
 *   0                 8
 *   | u64 big-endian  |   IEEE-754 bits; negative: all bits inverted; otherwise: sign bit set
 */
export const orderedDoubleBytes = 8;

/** Writes a double so that its bytes compare as the numbers do; returns the offset behind them. */
export const writeOrderedDouble = (target: Buffer, offset: number, value: number): number => {
  target.writeDoubleBE(value, offset);
  const isNegative = (target[offset] & 0x80) !== 0;
  if (isNegative) for (let i = 0; i < 8; i++) target[offset + i] = ~target[offset + i];
  else target[offset] = target[offset] | 0x80;
  return offset + orderedDoubleBytes;
};

/** Reads what `writeOrderedDouble` has written. */
export const readOrderedDouble = (bytes: Uint8Array, offset: number): number => {
  const isNegative = (bytes[offset] & 0x80) === 0;
  for (let i = 0; i < 8; i++) {
    const byte = bytes[offset + i];
    scratch[i] = isNegative ? ~byte : i === 0 ? byte & 0x7f : byte;
  }
  return scratch.readDoubleBE(0);
};

const scratch = Buffer.alloc(8);
