import { randomUUID } from 'node:crypto';
import { readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { hostname } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { TailraceError } from '../errors/index.js';
import { inaccessible } from './files/index.js';

/**
 * The right to write a store directory, held by one process at a time and given up by its end, however it ends.
 *
 * On Linux the lock is an abstract UNIX socket named after the directory's device and inode: the kernel releases it
 * with the process, also under kill -9. The file `LOCK` only says who holds it. Elsewhere the file is the lock, and
 * is stale when the process it names is gone.
 */
export class StoreLock {
  readonly #path: string;
  readonly #server: Server | undefined;

  private constructor(path: string, server: Server | undefined) {
    this.#path = path;
    this.#server = server;
  }

  /** @throws TailraceError `STORE_LOCKED` naming the holder | `FILE_INACCESSIBLE` */
  static async acquire(directory: string): Promise<StoreLock> {
    const path = join(directory, 'LOCK');
    const server = process.platform === 'linux' ? await listenAbstract(directory, path) : undefined;
    if (server === undefined) requireNoLiveHolder(directory, path);
    const holder = {
      pid: process.pid,
      host: hostname(),
      since: new Date().toISOString(),
      command: process.argv[1] ?? 'node',
      id: randomUUID(),
    };
    try {
      writeFileSync(path, `${JSON.stringify(holder)}\n`);
    } catch (cause) {
      server?.close();
      throw inaccessible(path, cause);
    }
    return new StoreLock(path, server);
  }

  release(): void {
    rmSync(this.#path, { force: true });
    this.#server?.close();
  }
}

const listenAbstract = async (directory: string, path: string): Promise<Server> => {
  const { dev, ino } = statSync(directory);
  const server = createServer((socket) => socket.destroy());
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) =>
      reject(error.code === 'EADDRINUSE' ? locked(directory, readHolder(path)) : inaccessible(path, error)),
    );
    server.listen(`\0tailrace-store-${dev}-${ino}`, resolve);
  });
  server.unref();
  return server;
};

const requireNoLiveHolder = (directory: string, path: string): void => {
  const holder = readHolder(path);
  if (holder?.host === hostname() && isAlive(holder.pid)) throw locked(directory, holder);
};

interface Holder {
  readonly pid: number;
  readonly host: string;
  readonly since: string;
  readonly command: string;
}

const readHolder = (path: string): Holder | undefined => {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as Holder;
  } catch {
    return undefined; // no file, or a torn one: the holder is unknown, which the message then says
  }
};

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
};

const locked = (directory: string, holder: Holder | undefined): TailraceError => {
  const who =
    holder === undefined
      ? 'another process'
      : `process ${holder.pid} on ${holder.host} (${holder.command}, since ${holder.since})`;
  return new TailraceError('STORE_LOCKED', `${directory} is in use by ${who}`, {
    context: { directory, ...(holder === undefined ? {} : { pid: holder.pid, host: holder.host }) },
    remedy: 'Stop that process, or use its server instead of the directory.',
  });
};
