import * as zlib from 'node:zlib';
import { readVarint32 } from '../bytes/index.js';
import { decompressLz4, decompressSnappy, decompressZstd } from '../compression/index.js';
import { TailraceError } from '../errors/index.js';

/**
 * The contents of a block as they were before compression. Except for Snappy, which has it by itself, a varint32 with the
 * length goes before (format version 2 and later).
 * @param place of the block, for messages
 * @throws TailraceError `STORE_CORRUPT` | `SOURCE_UNSUPPORTED`
 */
export const decompress = (type: number, bytes: Buffer, place: string): Buffer => {
  if (type === Compression.none) return bytes;
  const found = type === Compression.snappy ? decompressSnappy(bytes) : decompressSized(type, bytes, place);
  if (!(found instanceof Buffer))
    throw new TailraceError('STORE_CORRUPT', `${place} cannot be decompressed${found ? `: ${found}` : ''}`, {
      context: { place, compression: type },
      remedy: 'The file is damaged: restore it from a backup or a replica.',
    });
  return found;
};

const decompressSized = (type: number, bytes: Buffer, place: string): Buffer | string | undefined => {
  const cursor = { bytes, offset: 0, end: bytes.length };
  const length = readVarint32(cursor);
  if (length < 0 || length > largestBlock) return undefined;
  switch (type) {
    case Compression.lz4:
    case Compression.lz4hc:
      return decompressLz4(bytes, cursor.offset, length);
    case Compression.zlib:
      return ofLength(length, () =>
        zlib.inflateRawSync(bytes.subarray(cursor.offset), { maxOutputLength: Math.max(length, 1) }),
      );
    case Compression.zstd:
      return ofLength(length, () => decompressZstd(bytes.subarray(cursor.offset), length));
    default:
      throw new TailraceError(
        'SOURCE_UNSUPPORTED',
        `${place} is compressed in a way that is not known: ${type}`,
        {
          context: { place, compression: type },
          remedy:
            'Use a compression that every RocksDB has (snappy, lz4, zstd, zlib), or migrate over the network.',
        },
      );
  }
};

const ofLength = (length: number, run: () => Buffer | string): Buffer | string | undefined => {
  try {
    const bytes = run();
    return typeof bytes === 'string' || bytes.length === length ? bytes : undefined;
  } catch {
    return undefined; // told as damage, with the place
  }
};

const Compression = { none: 0, snappy: 1, zlib: 2, lz4: 4, lz4hc: 5, zstd: 7 } as const;

/** Blocks hold one value at least, and no value of a Kvrocks is larger. */
const largestBlock = 2 ** 30;
