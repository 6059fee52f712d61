import { join } from 'node:path';
import process from 'node:process';
import { acceptsConnections, type Daemon, freePort, startDaemon, throwAwayDirectory } from './daemon.js';
import { isOnPath } from './tools.js';

export interface KvrocksService {
  readonly url: string;
  readonly port: number;
  /** Its data directory, which holds the RocksDB in `db`. */
  readonly directory: string;
  /** Ends the server by SIGKILL and starts it again on the same port and data. */
  killAndRestart(): Promise<void>;
  kill(): Promise<void>;
  stop(): Promise<void>;
}

/**
 * A real Apache Kvrocks on a free loopback port: the program that `KVROCKS` names, or `kvrocks` on PATH.
 * @throws Error when there is none: there is no package that it could be fetched from
 */
export const startKvrocks = async (): Promise<KvrocksService> => {
  const program = process.env['KVROCKS'] ?? 'kvrocks';
  if (process.env['KVROCKS'] === undefined && !isOnPath(program))
    throw new Error(
      'no kvrocks on PATH: build Apache Kvrocks, and name its program by KVROCKS=/path/to/kvrocks',
    );
  const directory = throwAwayDirectory('kvrocks');
  const port = await freePort();
  const words = [
    ...['--bind', '127.0.0.1', '--port', `${port}`, '--dir', directory.path, '--log-dir', 'stdout'],
    ...['--workers', '2', '--rocksdb.block_cache_size', '64'],
  ];
  const start = (): Promise<Daemon> => startDaemon(program, words, () => acceptsConnections(port));
  let daemon = await start();
  const kill = (): Promise<void> => daemon.end('SIGKILL');
  return {
    url: `redis://127.0.0.1:${port}`,
    port,
    directory: directory.path,
    kill,
    killAndRestart: async () => {
      await kill();
      daemon = await start();
    },
    stop: async () => {
      await daemon.end('SIGKILL');
      directory.remove();
    },
  };
};

/** Where a Kvrocks keeps its RocksDB. */
export const rocksDirectoryOf = ({ directory }: KvrocksService): string => join(directory, 'db');
