import { readVarint32 } from '../bytes/index.js';

/**
 * Decompresses a raw Snappy block: a varint32 with the length, then elements, the lowest two bits of whose first byte tell
 *
 *   00  literal: length − 1 in the upper six bits, or in the 1 to 4 bytes that follow when these are 60 to 63
 *   01  copy of 4 to 11 bytes, offset of 11 bits
 *   10  copy of 1 to 64 bytes, offset of 16 bits
 *   11  copy of 1 to 64 bytes, offset of 32 bits
 *
 * undefined for bytes that are no such block.
 */
export const decompressSnappy = (bytes: Buffer): Buffer | undefined => {
  const cursor = { bytes, offset: 0, end: bytes.length };
  const length = readVarint32(cursor);
  // No block of 22 bytes gives more than 64 bytes for 3.
  if (length < 0 || length > bytes.length * 32) return undefined;
  const out = Buffer.allocUnsafe(length);
  let at = cursor.offset;
  let to = 0;
  while (at < bytes.length) {
    const tag = bytes[at++];
    let size: number;
    let offset = 0;
    if ((tag & 3) === 0) {
      size = (tag >> 2) + 1;
      if (size > 60) {
        const width = size - 60;
        if (at + width > bytes.length) return undefined;
        size = bytes.readUIntLE(at, width) + 1;
        at += width;
      }
      if (at + size > bytes.length || to + size > length) return undefined;
      bytes.copy(out, to, at, at + size);
      at += size;
      to += size;
      continue;
    }
    if ((tag & 3) === 1) {
      size = ((tag >> 2) & 7) + 4;
      offset = ((tag >> 5) << 8) | bytes[at++];
    } else {
      size = (tag >> 2) + 1;
      const width = (tag & 3) === 2 ? 2 : 4;
      if (at + width > bytes.length) return undefined;
      offset = bytes.readUIntLE(at, width);
      at += width;
    }
    if (!(offset > 0 && offset <= to) || to + size > length) return undefined;
    to = copyWithin(out, to, offset, size);
  }
  return to === length ? out : undefined;
};

/** Copies what lies `offset` bytes back, which may reach into what is being written; returns where it ends. */
export const copyWithin = (out: Buffer, to: number, offset: number, size: number): number => {
  if (offset >= size) out.copyWithin(to, to - offset, to - offset + size);
  else for (let i = 0; i < size; i++) out[to + i] = out[to - offset + i];
  return to + size;
};
