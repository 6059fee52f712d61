import { createHash } from 'node:crypto';
import { readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { hostname } from 'node:os';
import { basename, dirname } from 'node:path';
import process from 'node:process';
import { codeOf, type TailraceError } from '../errors/index.js';
import { inaccessible } from './files.js';

/** The process that holds a lock, as its lock file tells. */
export interface LockHolder {
  readonly pid: number;
  readonly host: string;
  readonly since: string;
  readonly command: string;
}

/**
 * A right that one process of this host holds at a time, and loses by its end, however it ends.
 *
 * On Linux the lock is an abstract UNIX socket named after the lock file's directory (device and inode) and name: the
 * kernel releases it with the process, also under kill -9, and a stopped process keeps it. The lock file only says
 * who holds it. Elsewhere the file is the lock, stale when the process it names is gone.
 */
export class ProcessLock {
  readonly #path: string;
  readonly #server: Server | undefined;

  private constructor(path: string, server: Server | undefined) {
    this.#path = path;
    this.#server = server;
  }

  /**
   * Takes the lock of a lock file in an existing directory. `refused` makes the error for a lock that is held.
   * @throws what `refused` made; TailraceError `FILE_INACCESSIBLE`
   */
  static async acquire(
    path: string,
    refused: (holder: LockHolder | undefined) => TailraceError,
  ): Promise<ProcessLock> {
    const server = process.platform === 'linux' ? await listenAbstract(path, refused) : undefined;
    if (server === undefined) {
      const holder = readHolder(path);
      if (holder?.host === hostname() && holder.pid !== process.pid && isAlive(holder.pid))
        throw refused(holder);
    }
    try {
      writeFileSync(path, `${JSON.stringify(ownHolder())}\n`);
    } catch (cause) {
      server?.close();
      throw inaccessible(path, cause);
    }
    return new ProcessLock(path, server);
  }

  release(): void {
    rmSync(this.#path, { force: true });
    this.#server?.close();
  }
}

/** `process 42 on host (command, since …)`, for messages. */
export const describeHolder = (holder: LockHolder | undefined): string => {
  if (holder === undefined) return 'another process';
  const { pid, host, command, since } = holder;
  return pid === process.pid && host === hostname()
    ? `this process itself (process ${pid} on ${host})`
    : `process ${pid} on ${host} (${command}, since ${since})`;
};

const listenAbstract = async (
  path: string,
  refused: (holder: LockHolder | undefined) => TailraceError,
): Promise<Server> => {
  let directory: { dev: number; ino: number };
  try {
    directory = statSync(dirname(path));
  } catch (cause) {
    throw inaccessible(dirname(path), cause);
  }
  const name = createHash('sha256')
    .update(`${directory.dev}:${directory.ino}:${basename(path)}`)
    .digest('hex');
  const server = createServer((socket) => socket.destroy());
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) =>
      reject(error.code === 'EADDRINUSE' ? refused(holderOf(path, name)) : inaccessible(path, error)),
    );
    server.listen(`\0tailrace-${name.slice(0, 40)}`, () => {
      heldHere.add(name);
      resolve();
    });
  });
  server.unref();
  server.once('close', () => heldHere.delete(name));
  return server;
};

/** The names that this process holds: their files may not be written yet. */
const heldHere = new Set<string>();

const holderOf = (path: string, name: string): LockHolder | undefined =>
  heldHere.has(name) ? ownHolder() : readHolder(path);

const ownHolder = (): LockHolder => ({
  pid: process.pid,
  host: hostname(),
  since: new Date().toISOString(),
  command: process.argv[1] ?? 'node',
});

const readHolder = (path: string): LockHolder | undefined => {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as LockHolder;
  } catch {
    return undefined; // no file, or a torn one: the holder is unknown, which the message then says
  }
};

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return codeOf(error) === 'EPERM';
  }
};
