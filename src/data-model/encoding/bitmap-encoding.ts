/**
 * Bitmaps: a byte string in fragments of up to 1,024 bytes. The sub-key of a fragment is its byte offset as
 * decimal text ("0", "1024", …); metadata's `size` is the bitmap's length in bytes. A fragment that was never
 * written, and what lies behind a fragment's end, is zero. Within a byte, bit i of the bitmap is
 * `1 << (i mod 8)`: the reverse of the order in Redis' strings.
 */
export const bitmapFragmentBytes = 1024;

/** The sub-key of the fragment that starts at `byteOffset`. Owns what it returns. */
export const encodeFragmentOffset = (byteOffset: number): Buffer => Buffer.from(String(byteOffset), 'latin1');

/** The byte offset that a fragment's sub-key names; undefined when it is none. */
export const readFragmentOffset = (subKey: Buffer): number | undefined => {
  if (subKey.length === 0 || subKey.length > 16) return undefined;
  const text = subKey.toString('latin1');
  if (!/^\d+$/.test(text)) return undefined;
  const offset = Number(text);
  return offset % bitmapFragmentBytes === 0 ? offset : undefined;
};

/** Turns the bit order of each byte between Kvrocks' and Redis'. Owns what it returns. */
export const reverseBits = (bytes: Uint8Array): Buffer => {
  const reversed = Buffer.allocUnsafe(bytes.length);
  for (let i = 0; i < bytes.length; i++) reversed[i] = reversedByte[bytes[i]];
  return reversed;
};

const reversedByte = Uint8Array.from({ length: 256 }, (_, byte) => {
  let reversed = 0;
  for (let bit = 0; bit < 8; bit++) if (byte & (1 << bit)) reversed |= 0x80 >> bit;
  return reversed;
});
