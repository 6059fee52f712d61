import * as fs from 'node:fs';
import { codeOf, isTailraceError, messageOf, TailraceError } from '../errors/index.js';

/**
 * The file operations of the engine. Production has one implementation, `nodeFiles`; tests put one in front of it
 * that fails where they say. Writes are positional and complete or an error: a short write is never a success.
 */
export interface Files {
  open(path: string, flags: string): Promise<number>;
  /** Writes all of `bytes` at `position`. */
  write(fd: number, bytes: Uint8Array, position: number): Promise<void>;
  /**
   * `write` for some KiB, in the caller's own time: they are in the system's memory when it returns, which takes less
   * than to hand them over to another thread.
   */
  writeFew(fd: number, bytes: Uint8Array, position: number): Promise<void>;
  /** Makes the file's data, and the size needed to read it, durable. */
  datasync(fd: number): Promise<void>;
  truncate(fd: number, length: number): Promise<void>;
  close(fd: number): Promise<void>;
  /** Makes created, renamed and removed names of a directory durable. */
  syncDirectory(path: string): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  remove(path: string): Promise<void>;
}

const writeHere: Files['write'] = async (fd, bytes, position) => {
  for (let start = 0; start < bytes.length; ) {
    const written = fs.writeSync(fd, bytes, start, bytes.length - start, position + start);
    if (written === 0) throw new Error(`wrote ${start} of ${bytes.length} bytes`);
    start += written;
  }
};

/** The files of the operating system. */
export const nodeFiles: Files = {
  open: (path, flags) =>
    new Promise((resolve, reject) => {
      fs.open(path, flags, 0o640, (error, fd) => (error ? reject(error) : resolve(fd)));
    }),

  write: (fd, bytes, position) =>
    new Promise((resolve, reject) => {
      const writeFrom = (start: number): void =>
        fs.write(fd, bytes, start, bytes.length - start, position + start, (error, written) => {
          if (error) reject(error);
          else if (start + written === bytes.length) resolve();
          else if (written === 0) reject(new Error(`wrote ${start} of ${bytes.length} bytes`));
          // Node tells a short write without its reason, which the next one tells.
          else writeFrom(start + written);
        });
      writeFrom(0);
    }),

  writeFew: writeHere,
  datasync: (fd) => settle((done) => fs.fdatasync(fd, done)),
  truncate: (fd, length) => settle((done) => fs.ftruncate(fd, length, done)),
  close: (fd) => settle((done) => fs.close(fd, done)),
  rename: (from, to) => settle((done) => fs.rename(from, to, done)),
  remove: (path) => settle((done) => fs.unlink(path, done)),

  syncDirectory: async (path) => {
    const fd = await nodeFiles.open(path, 'r');
    try {
      await settle((done) => fs.fsync(fd, done));
    } finally {
      await nodeFiles.close(fd);
    }
  },
};

/**
 * The same for a thread that has nothing else to do: writes are done when they return. What other threads of the
 * process write does not wait behind them, as it would among the few that do the system's work for all.
 */
export const ownThreadFiles: Files = { ...nodeFiles, write: writeHere };

/**
 * Has a file open for `use`, and closes it whatever comes of that.
 * @throws TailraceError `FILE_INACCESSIBLE`, and what `use` throws of ours
 */
export const withFile = async (
  files: Files,
  path: string,
  flags: string,
  use: (fd: number) => Promise<void>,
): Promise<void> => {
  try {
    const fd = await files.open(path, flags);
    try {
      await use(fd);
    } finally {
      await files.close(fd);
    }
  } catch (cause) {
    throw isTailraceError(cause) ? cause : inaccessible(path, cause);
  }
};

/** @throws TailraceError `FILE_INACCESSIBLE` */
export const openToRead = (path: string): number => {
  try {
    return fs.openSync(path, 'r');
  } catch (cause) {
    throw inaccessible(path, cause);
  }
};

/** Puts `content` in place of `path` so that after any crash the file holds the old content or the new. */
export const replaceFile = async (
  files: Files,
  directory: string,
  path: string,
  content: Uint8Array,
): Promise<void> => {
  const temporary = temporaryPath(path);
  try {
    const fd = await files.open(temporary, 'w');
    try {
      await files.write(fd, content, 0);
      await files.datasync(fd);
    } finally {
      await files.close(fd);
    }
    await files.rename(temporary, path);
  } catch (error) {
    await files.remove(temporary).catch(() => undefined); // it helps nobody, and may not even be there
    throw error;
  }
  await files.syncDirectory(directory);
};

/** Where `replaceFile` puts the content first: what a process leaves that is killed in the middle. */
export const temporaryPath = (path: string): string => `${path}.tmp`;

/** An error of the file system as a TailraceError that names the path and what to do; one that is such already stays. */
export const inaccessible = (path: string, cause: unknown): TailraceError => {
  if (isTailraceError(cause, 'FILE_INACCESSIBLE')) return cause;
  const reason = messageOf(cause);
  return new TailraceError('FILE_INACCESSIBLE', `cannot access ${path}: ${reason}`, {
    context: { file: path },
    remedy:
      remedies.get(codeOf(cause)) ?? 'Check that the path exists and that this user may read and write it.',
    cause,
  });
};

/** The same for what stands where a directory is needed. */
export const notADirectory = (path: string): TailraceError =>
  inaccessible(path, Object.assign(new Error('it is no directory'), { code: 'ENOTDIR' }));

/**
 * Refuses a named pipe where a file is needed: it would not even open before somebody writes to it, and what waits for that
 * keeps the process from ending. @throws TailraceError `FILE_INACCESSIBLE`
 */
export const refusePipe = (path: string): void => {
  if (fs.statSync(path, { throwIfNoEntry: false })?.isFIFO())
    throw inaccessible(path, Object.assign(new Error('it is a named pipe'), { code: 'ESPIPE' }));
};

const getPermission =
  'Run as the user that owns it, or give this user the right to read and write it and its directory.';
const makeRoom = 'Make room there, or use another disk; then start again.';
const remedies = new Map([
  ['ENOSPC', makeRoom],
  ['EDQUOT', makeRoom],
  [
    'EFBIG',
    'Raise the limit on the size of files (ulimit -f), or that of the file system; then start again.',
  ],
  ['EACCES', getPermission],
  ['EPERM', getPermission],
  ['EISDIR', 'A directory stands where a file is needed: name another place, or move it away.'],
  ['EROFS', 'The file system is mounted read-only: use another place.'],
  ['EMFILE', 'Raise the limit on open files (ulimit -n).'],
  ['ENOTDIR', 'A part of this path is a file where a directory is needed.'],
  ['ESPIPE', 'Name a file: it is read and written in places, which a pipe does not have.'],
  ['EEXIST', 'Something of this name is there already: use another name, or move it away.'],
]);

const settle = (start: (done: (error: Error | null) => void) => void): Promise<void> =>
  new Promise((resolve, reject) => {
    start((error) => (error ? reject(error) : resolve()));
  });
