import { copyWithin } from './snappy.js';

/**
 * Decompresses an LZ4 block into `length` bytes. Sequences follow each other, the last without a match:
 *
 *   | token u8: literals << 4 | match − 4 | more length … | literals | offset u16 LE | more length … |
 *
 * A length of 15 goes on in bytes that are added, until one is not 255. undefined for bytes that are no such block.
 */
export const decompressLz4 = (bytes: Buffer, start: number, length: number): Buffer | undefined => {
  const out = Buffer.allocUnsafe(length);
  let at = start;
  let to = 0;
  while (at < bytes.length) {
    const token = bytes[at++];
    let literals = token >> 4;
    if (literals === 15)
      for (let more = 255; more === 255; literals += more) {
        if (at >= bytes.length) return undefined;
        more = bytes[at++];
      }
    if (at + literals > bytes.length || to + literals > length) return undefined;
    bytes.copy(out, to, at, at + literals);
    at += literals;
    to += literals;
    if (at === bytes.length) break;
    if (at + 2 > bytes.length) return undefined;
    const offset = bytes[at] | (bytes[at + 1] << 8);
    at += 2;
    let size = (token & 15) + 4;
    if (size === 19)
      for (let more = 255; more === 255; size += more) {
        if (at >= bytes.length) return undefined;
        more = bytes[at++];
      }
    if (offset === 0 || offset > to || to + size > length) return undefined;
    to = copyWithin(out, to, offset, size);
  }
  return to === length ? out : undefined;
};
