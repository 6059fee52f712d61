/**
 * The first four bytes of the rest of a key, as one number: less when the key is less, equal for keys that differ only
 * behind them. A search compares heads, which lie side by side, and looks at a key itself, which lies
 * anywhere, only where heads are the same. Bytes that are not there count as 0; so do those that an entry does not
 * hold itself, behind the first `maxInlineKeyBytes`.
 */
export const headOf = (bytes: Uint8Array, at: number, end: number): number => {
  // The sign is turned over, so that signed numbers are in the order of the bytes.
  if (end - at >= 4)
    return ((bytes[at] ^ 0x80) << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3];
  let head = 0x80;
  if (at < end) head ^= bytes[at];
  head <<= 8;
  if (at + 1 < end) head |= bytes[at + 1];
  head <<= 8;
  if (at + 2 < end) head |= bytes[at + 2];
  return head << 8;
};
