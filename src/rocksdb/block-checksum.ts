import { crc32c, maskCrc, xxHash64, xxh3Low32 } from '../bytes/index.js';

/** How the blocks of a table are checked. */
const Checksum = { none: 0, crc32c: 1, xxHash64: 3, xxh3: 4 } as const;

export const isKnownChecksum = (type: number): boolean => Object.values<number>(Checksum).includes(type);

/** The checksum of the bytes from `start` to `end`, the last of which tells the compression. */
export const blockChecksum = (type: number, bytes: Buffer, start: number, end: number): number => {
  switch (type) {
    case Checksum.crc32c:
      return maskCrc(crc32c(bytes.subarray(start, end)));
    case Checksum.xxHash64:
      return Number(xxHash64(bytes.subarray(start, end)) & 0xffff_ffffn);
    case Checksum.xxh3:
      return (xxh3Low32(bytes, start, end - 1) ^ Math.imul(bytes[end - 1], lastByteFactor)) >>> 0;
    default:
      return 0;
  }
};

/** XXH3 is taken of all but the last byte, which is mixed in by this. */
const lastByteFactor = 0x6b9083d9;

/** What is added to the checksum of a block at `offset`, so that it fits this place of this file alone. */
export const checksumModifier = (base: number, offset: number): number =>
  base === 0 ? 0 : (base ^ ((offset % 0x1_0000_0000) + Math.floor(offset / 0x1_0000_0000))) >>> 0;
