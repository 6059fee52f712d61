import { createReadStream, createWriteStream, existsSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import * as zlib from 'node:zlib';
import { type Logger, messageOf, nodeFiles, TailraceError } from '../../src/kit/index.js';

export type Compression = 'none' | 'gzip' | 'zstd';

/**
 * Compresses finished segments beside the writing, one after the other: into `<name>.gz.part`, synced, then named
 * `<name>.gz`, then the segment itself goes. Whatever is interrupted is done again at the next start. A segment that
 * cannot be compressed stays as it is.
 */
export class SegmentCompressor implements AsyncDisposable {
  readonly #format: { readonly ending: string; readonly make: () => Transform };
  readonly #log: Logger;
  readonly #closing = new AbortController();
  #work: Promise<void> = Promise.resolve();

  /** @throws TailraceError `CONFIG_INVALID` when this Node.js lacks the format */
  constructor(compression: 'gzip' | 'zstd', log: Logger) {
    this.#format = formatOf(compression);
    this.#log = log;
  }

  add(path: string): void {
    this.#work = this.#work.then(() => this.#compress(path));
  }

  /** Resolves when everything that was added is compressed. */
  async settled(): Promise<void> {
    await this.#work;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
    await this.#work;
  }

  async #compress(path: string): Promise<void> {
    const { signal } = this.#closing;
    if (signal.aborted || !existsSync(path)) return;
    const target = `${path}.${this.#format.ending}`;
    const part = `${target}.part`;
    try {
      const { mode } = statSync(path); // who may not read the one may not read the other
      await pipeline(createReadStream(path), this.#format.make(), createWriteStream(part, { mode }), {
        signal,
      });
      await syncFile(part);
      await nodeFiles.rename(part, target);
      await nodeFiles.syncDirectory(dirname(path));
      await nodeFiles.remove(path);
    } catch (error) {
      await nodeFiles.remove(part).catch(() => undefined); // what stays of it is written over at the next start
      if (signal.aborted) return;
      const reason = messageOf(error);
      this.#log.warn('a finished segment could not be compressed and stays as it is', { file: path, reason });
    }
  }
}

const syncFile = async (path: string): Promise<void> => {
  const fd = await nodeFiles.open(path, 'r+');
  try {
    await nodeFiles.datasync(fd);
  } finally {
    await nodeFiles.close(fd);
  }
};

const formatOf = (compression: 'gzip' | 'zstd'): { ending: string; make: () => Transform } => {
  if (compression === 'gzip') return { ending: 'gz', make: () => zlib.createGzip() };
  const make: unknown = Reflect.get(zlib, 'createZstdCompress');
  if (isTransformMaker(make)) return { ending: 'zst', make };
  throw new TailraceError('CONFIG_INVALID', `Node.js ${process.versions.node} cannot compress with zstd`, {
    context: { compress: compression },
    remedy: 'Use Node.js 22.15 or later, or `compress: gzip`.',
  });
};

const isTransformMaker = (value: unknown): value is () => Transform => typeof value === 'function';
