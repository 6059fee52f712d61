import { closeSync, openSync, readSync, statSync } from 'node:fs';
import { nodeFiles, TailraceError } from '../../src/kit/index.js';

/** How a file stands that somebody else may have touched. */
export type Standing =
  /** It holds at least what it should. */
  | 'whole'
  /** It was moved away or removed; where it stood is nothing, or an empty file. */
  | 'gone'
  /** It was cut, or another file stands there. */
  | 'damaged';

/** A file as it stands at its path, which should hold `length` bytes. */
export const standingOf = (path: string, length: number): Standing => {
  const size = sizeOf(path);
  if (size >= length) return 'whole';
  return size === 0 ? 'gone' : 'damaged';
};

/** Bytes of a file; 0 of one that is not there. */
const sizeOf = (path: string): number => statSync(path, { throwIfNoEntry: false })?.size ?? 0;

/** @throws TailraceError `SINK_FAILED` when a file that holds something does not begin as one of its format does */
export const requireFormat = (path: string, firstByte: string | undefined): void => {
  if (firstByte === undefined) return;
  const first = Buffer.alloc(1);
  const fd = openSync(path, 'r');
  try {
    readSync(fd, first, 0, 1, 0);
  } finally {
    closeSync(fd);
  }
  if (first.toString() === firstByte) return;
  throw new TailraceError('SINK_FAILED', `${path} was written in another format`, {
    context: { file: path },
    remedy:
      'Set the format that it was begun with, or move it away (but not its journal) to go on with a new one.',
  });
};

/** The file that is being written. Others may move, remove or cut it at any time; each write looks first. */
export class SegmentFile {
  readonly path: string;
  /** When it was begun, in ms since the epoch. */
  readonly bornAtMs: number;
  readonly #fd: number;
  readonly #device: number;
  readonly #inode: number;

  /** Opens it, or makes it, also where a link leads to. What stands behind `length` is cut off: nobody vouches for it. */
  static async open(path: string, length: number): Promise<SegmentFile> {
    const isNew = statSync(path, { throwIfNoEntry: false }) === undefined;
    const fd = await nodeFiles.open(path, isNew ? 'w+' : 'r+');
    try {
      const { size, birthtimeMs, dev, ino } = statSync(path);
      if (size > length) {
        await nodeFiles.truncate(fd, length);
        await nodeFiles.datasync(fd);
      }
      return new SegmentFile(path, fd, { birthtimeMs, dev, ino });
    } catch (error) {
      await nodeFiles.close(fd);
      throw error;
    }
  }

  private constructor(path: string, fd: number, stats: { birthtimeMs: number; dev: number; ino: number }) {
    this.path = path;
    this.bornAtMs = stats.birthtimeMs;
    this.#fd = fd;
    this.#device = stats.dev;
    this.#inode = stats.ino;
  }

  /** What became of it since the last write, behind which it had `length` bytes. */
  standing(length: number): Standing {
    const found = statSync(this.path, { throwIfNoEntry: false });
    if (found === undefined) return 'gone';
    const isItself = found.ino === this.#inode && found.dev === this.#device;
    if (isItself) return found.size >= length ? 'whole' : 'damaged';
    return found.size === 0 ? 'gone' : 'damaged';
  }

  async write(bytes: Uint8Array, position: number, isSynced: boolean): Promise<void> {
    await nodeFiles.write(this.#fd, bytes, position);
    if (isSynced) await this.sync();
  }

  sync(): Promise<void> {
    return nodeFiles.datasync(this.#fd);
  }

  close(): Promise<void> {
    return nodeFiles.close(this.#fd);
  }
}

/** What is said of a file that is damaged. */
export const damaged = (path: string, expected: number): TailraceError => {
  const size = sizeOf(path);
  const found = size >= expected ? 'is another file than the one that was written' : `has ${size} bytes`;
  return new TailraceError('SINK_FAILED', `${path} ${found}, its journal says ${expected}`, {
    context: { file: path, size, expected },
    remedy:
      'The file was cut or replaced by someone else: restore it, or move it away (but not its journal) to go on with a new one.',
  });
};
