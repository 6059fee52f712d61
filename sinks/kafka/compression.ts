import { promisify } from 'node:util';
import * as zlib from 'node:zlib';
import { TailraceError } from '../../src/kit/index.js';

export type Compression = 'none' | 'gzip' | 'zstd';

/** How the records of a batch are compressed, and the number that stands for it in the batch's attributes. */
export interface Codec {
  readonly attribute: number;
  readonly compress: (records: Uint8Array) => Promise<Buffer>;
}

/** Undefined for no compression. @throws TailraceError `CONFIG_INVALID` when this Node.js has no zstd */
export const codecOf = (compression: Compression): Codec | undefined => {
  if (compression === 'none') return undefined;
  // Both run on threads of Node.js: the batches of several partitions are compressed side by side.
  if (compression === 'gzip') return { attribute: 1, compress: promisify<Uint8Array, Buffer>(zlib.gzip) };
  const { zstdCompress } = zlib as { zstdCompress?: Compress };
  if (zstdCompress !== undefined)
    return { attribute: 4, compress: promisify<Uint8Array, Buffer>(zstdCompress) };
  throw new TailraceError('CONFIG_INVALID', `Node.js ${process.versions.node} has no zstd`, {
    context: { sink: 'kafka' },
    remedy: 'Use Node.js 22.15 or later, or set compression to gzip.',
  });
};

type Compress = (records: Uint8Array, done: (error: Error | null, compressed: Buffer) => void) => void;
