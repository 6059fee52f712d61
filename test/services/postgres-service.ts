import { spawnSync } from 'node:child_process';
import { chownSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import pg from 'pg';
import { type Daemon, freePort, startDaemon, throwAwayDirectory } from './daemon.js';
import { ensurePrograms } from './tools.js';

export interface PostgresService {
  readonly url: string;
  readonly port: number;
  kill(): Promise<void>;
  restart(): Promise<void>;
  stop(): Promise<void>;
}

/** A real Postgres with its own data directory on a free loopback port; superuser `postgres`, no password. */
export const startPostgres = async (
  settings: Readonly<Record<string, string>> = {},
): Promise<PostgresService> => {
  ensurePrograms(['postgres', 'initdb']);
  const directory = throwAwayDirectory('postgres');
  const owner = unprivilegedOwner();
  if (owner.uid !== undefined) chownSync(directory.path, owner.uid, owner.gid ?? owner.uid);
  const data = join(directory.path, 'data');
  const made = spawnSync(
    'initdb',
    ['-D', data, '-U', 'postgres', '-A', 'trust', '--no-sync', '-E', 'UTF8', '--locale=C'],
    {
      encoding: 'utf8',
      cwd: directory.path,
      ...owner,
    },
  );
  if (made.status !== 0) throw new Error(`initdb failed: ${made.error?.message ?? made.stderr}`);
  const port = await freePort();
  const url = `postgres://postgres@127.0.0.1:${port}/postgres`;
  const words = Object.entries({
    listen_addresses: '127.0.0.1',
    port: `${port}`,
    unix_socket_directories: directory.path,
    ...settings,
  });
  const parameters = ['-D', data, ...words.flatMap(([name, value]) => ['-c', `${name}=${value}`])];
  const start = (): Promise<Daemon> => startDaemon('postgres', parameters, () => answersQuery(url), owner);
  let daemon = await start();
  return {
    url,
    port,
    // SIGQUIT is Postgres' immediate shutdown: no checkpoint, recovery at the next start, and no orphaned backends.
    kill: () => daemon.end('SIGQUIT'),
    restart: async () => {
      daemon = await start();
    },
    stop: async () => {
      await daemon.end('SIGINT');
      directory.remove();
    },
  };
};

/** Postgres refuses to run as root. */
const unprivilegedOwner = (): { uid?: number; gid?: number } => {
  if (process.getuid?.() !== 0) return {};
  const id = (flag: string): number => Number(spawnSync('id', [flag, 'nobody'], { encoding: 'utf8' }).stdout);
  return { uid: id('-u'), gid: id('-g') };
};

const answersQuery = async (url: string): Promise<boolean> => {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 2000 });
  client.on('error', () => undefined); // a server that goes away while we ask is simply not ready
  try {
    await client.connect();
    await client.query('SELECT 1');
    await client.end();
    return true;
  } catch {
    return false;
  }
};
