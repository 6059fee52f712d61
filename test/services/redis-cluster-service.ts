import { spawnSync } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import { acceptsConnections, type Daemon, freePort, startDaemon, throwAwayDirectory } from './daemon.js';
import { ensurePrograms, run } from './tools.js';

export interface RedisClusterService {
  /** Ports of the masters, which hold all slots in equal shares. */
  readonly ports: readonly number[];
  kill(index: number): Promise<void>;
  restart(index: number): Promise<void>;
  stop(): Promise<void>;
}

/** A real Redis Cluster of three masters on loopback, which sync each write unless `isDurable` is false. */
export const startRedisCluster = async ({ isDurable = true } = {}): Promise<RedisClusterService> => {
  ensurePrograms(['redis-server', 'redis-cli']);
  const directories = [1, 2, 3].map((node) => throwAwayDirectory(`redis-node-${node}`));
  const ports: number[] = [];
  while (ports.length < directories.length) {
    // The cluster bus listens on port + 10000.
    const port = await freePort();
    if (port < 55_000 && !ports.includes(port)) ports.push(port);
  }
  const start = (index: number): Promise<Daemon> => {
    const port = ports[index] ?? 0;
    const directory = directories[index]?.path ?? '';
    const settings = [
      '--port',
      `${port}`,
      '--bind',
      '127.0.0.1',
      '--dir',
      directory,
      '--save',
      '',
      ...(isDurable ? ['--appendonly', 'yes', '--appendfsync', 'always'] : []),
      '--cluster-enabled',
      'yes',
      '--cluster-node-timeout',
      '2000',
    ];
    return startDaemon('redis-server', settings, () => acceptsConnections(port));
  };
  const daemons = await Promise.all(ports.map((_, index) => start(index)));
  run('redis-cli', [
    '--cluster',
    'create',
    ...ports.map((port) => `127.0.0.1:${port}`),
    '--cluster-replicas',
    '0',
    '--cluster-yes',
  ]);
  const isFormed = (port: number): boolean => {
    const info = spawnSync('redis-cli', ['-p', `${port}`, 'cluster', 'info'], { encoding: 'utf8' }).stdout;
    return info.includes('cluster_state:ok') && info.includes('cluster_known_nodes:3');
  };
  while (!ports.every(isFormed)) await delay(100);
  return {
    ports,
    kill: async (index) => daemons[index]?.end('SIGKILL'),
    restart: async (index) => {
      daemons[index] = await start(index);
      while (!ports.every(isFormed)) await delay(100);
    },
    stop: async () => {
      await Promise.all(daemons.map((daemon) => daemon.end('SIGKILL')));
      for (const directory of directories) directory.remove();
    },
  };
};
