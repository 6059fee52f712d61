import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { inaccessible } from '../files/index.js';

/** The server that runs on a store's directory: the file `SERVER` in it, JSON. */
export interface RunningServer {
  /** redis://host:port, or rediss:// */
  readonly url: string;
  readonly pid: number;
}

/** Notes where the store's server listens, so that commands on the directory go through it. Disposing takes the note back. */
export const noteServer = (directory: string, host: string, port: number, isTls: boolean): Disposable => {
  const path = serverPath(directory);
  const isEverywhere = host === '0.0.0.0' || host === '::';
  const reachable = isEverywhere ? '127.0.0.1' : host;
  const name = reachable.includes(':') ? `[${reachable}]` : reachable;
  const server: RunningServer = { url: `${isTls ? 'rediss' : 'redis'}://${name}:${port}`, pid: process.pid };
  try {
    writeFileSync(path, `${JSON.stringify(server)}\n`);
  } catch (cause) {
    throw inaccessible(path, cause);
  }
  return { [Symbol.dispose]: () => rmSync(path, { force: true }) };
};

/** The server of a directory, if one is noted whose process lives; after a crash the note may be of another process. */
export const findServer = (directory: string): RunningServer | undefined => {
  let noted: unknown;
  try {
    noted = JSON.parse(readFileSync(serverPath(directory), 'utf8'));
  } catch {
    return undefined; // no note, or a torn one
  }
  if (typeof noted !== 'object' || noted === null || !('url' in noted) || !('pid' in noted)) return undefined;
  const { url, pid } = noted;
  if (typeof url !== 'string' || typeof pid !== 'number') return undefined;
  try {
    process.kill(pid, 0);
  } catch {
    return undefined;
  }
  return { url, pid };
};

const serverPath = (directory: string): string => join(directory, 'SERVER');
