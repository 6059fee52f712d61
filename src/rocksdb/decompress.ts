import * as zlib from 'node:zlib';
import { readVarint32 } from '../bytes/index.js';
import { TailraceError } from '../errors/index.js';
import { decompressLz4 } from './lz4.js';
import { decompressSnappy } from './snappy.js';

/**
 * The contents of a block as they were before compression. Except for Snappy, which has it by itself, a varint32 with the
 * length goes before (format version 2 and later).
 * @param place of the block, for messages
 * @throws TailraceError `STORE_CORRUPT` | `SOURCE_UNSUPPORTED`
 */
export const decompress = (type: number, bytes: Buffer, place: string): Buffer => {
  if (type === Compression.none) return bytes;
  const found = type === Compression.snappy ? decompressSnappy(bytes) : decompressSized(type, bytes, place);
  if (found === undefined)
    throw new TailraceError('STORE_CORRUPT', `${place} cannot be decompressed`, {
      context: { place, compression: type },
      remedy: 'The file is damaged: restore it from a backup or a replica.',
    });
  return found;
};

const decompressSized = (type: number, bytes: Buffer, place: string): Buffer | undefined => {
  const cursor = { bytes, offset: 0, end: bytes.length };
  const length = readVarint32(cursor);
  if (length < 0 || length > largestBlock) return undefined;
  switch (type) {
    case Compression.lz4:
    case Compression.lz4hc:
      return decompressLz4(bytes, cursor.offset, length);
    case Compression.zlib:
      return ofLength(length, () => zlib.inflateRawSync(bytes.subarray(cursor.offset)));
    case Compression.zstd: {
      // Node.js has it from 22.15 and 23.8 on.
      const decompressZstd: unknown = Reflect.get(zlib, 'zstdDecompressSync');
      if (typeof decompressZstd !== 'function') throw noZstd(place);
      return ofLength(length, () => decompressZstd(bytes.subarray(cursor.offset)));
    }
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

const ofLength = (length: number, run: () => unknown): Buffer | undefined => {
  try {
    const bytes = run();
    return bytes instanceof Buffer && bytes.length === length ? bytes : undefined;
  } catch {
    return undefined; // told as damage, with the place
  }
};

const Compression = { none: 0, snappy: 1, zlib: 2, lz4: 4, lz4hc: 5, zstd: 7 } as const;

/** Blocks hold one value at least, and no value of a Kvrocks is larger. */
const largestBlock = 2 ** 30;

const noZstd = (place: string): TailraceError =>
  new TailraceError('SOURCE_UNSUPPORTED', `${place} is compressed by zstd, which this Node.js cannot read`, {
    context: { place },
    remedy: 'Run it with Node.js 22.15 or later, or migrate over the network.',
  });
