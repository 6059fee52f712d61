import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import {
  acceptsConnections,
  canListen,
  type Daemon,
  freePort,
  startDaemon,
  throwAwayDirectory,
} from './daemon.js';
import { ensurePrograms, run } from './tools.js';

export interface RedisClusterService {
  /** Ports of the nodes: the three masters, which hold all slots in equal shares, then the replicas, if there are. */
  readonly ports: readonly number[];
  kill(index: number): Promise<void>;
  restart(index: number): Promise<void>;
  /** Moves slots from one master to another, both by their ids. */
  reshard(fromId: string, toId: string, slots: number): Promise<void>;
  stop(): Promise<void>;
}

export interface RedisClusterSettings {
  /** Whether each write is synced; default true. */
  readonly isDurable?: boolean;
  /** Whether each master has a replica, which takes over when it is gone; default false. */
  readonly hasReplicas?: boolean;
}

/** A real Redis Cluster of three masters on loopback. */
export const startRedisCluster = async (
  settings: RedisClusterSettings = {},
): Promise<RedisClusterService> => {
  const { isDurable = true, hasReplicas = false } = settings;
  ensurePrograms(['redis-server', 'redis-cli']);
  const nodes = hasReplicas ? [1, 2, 3, 4, 5, 6] : [1, 2, 3];
  const directories = nodes.map((node) => throwAwayDirectory(`redis-node-${node}`));
  const ports: number[] = [];
  while (ports.length < directories.length) {
    // The cluster bus listens on port + 10000, which must be free, too, and not one of those for outgoing connections.
    const port = await freePort();
    const isFit = port < 22_000 && !ports.includes(port) && (await canListen(port + 10_000));
    if (isFit) ports.push(port);
  }
  const start = (index: number): Promise<Daemon> => {
    const port = ports[index] ?? 0;
    const directory = directories[index]?.path ?? '';
    const words = [
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
      hasReplicas ? '4000' : '10000', // a busy machine must not pass for one that is gone
    ];
    return startDaemon('redis-server', words, () => acceptsConnections(port));
  };
  const daemons = await Promise.all(ports.map((_, index) => start(index)));
  run('redis-cli', [
    '--cluster',
    'create',
    ...ports.map((port) => `127.0.0.1:${port}`),
    '--cluster-replicas',
    hasReplicas ? '1' : '0',
    '--cluster-yes',
  ]);
  const isFormed = (port: number): boolean => {
    const info = spawnSync('redis-cli', ['-p', `${port}`, 'cluster', 'info'], { encoding: 'utf8' }).stdout;
    return info.includes('cluster_state:ok') && info.includes(`cluster_known_nodes:${nodes.length}`);
  };
  const isFollowing = (port: number): boolean => {
    const info = spawnSync('redis-cli', ['-p', `${port}`, 'info', 'replication'], {
      encoding: 'utf8',
    }).stdout;
    return info.includes('role:slave') && info.includes('master_link_status:up');
  };
  /** Every master has its replica, with its data. */
  const isGuarded = (): boolean => !hasReplicas || ports.filter(isFollowing).length === 3;
  while (!ports.every(isFormed) || !isGuarded()) await delay(100);
  return {
    ports,
    kill: async (index) => daemons[index]?.end('SIGKILL'),
    restart: async (index) => {
      daemons[index] = await start(index);
      while (!ports.every(isFormed) || !isGuarded()) await delay(100);
    },
    reshard: async (fromId, toId, slots) => {
      const words = ['--cluster-from', fromId, '--cluster-to', toId, '--cluster-slots', `${slots}`];
      const child = spawn('redis-cli', [
        '--cluster',
        'reshard',
        `127.0.0.1:${ports[0]}`,
        ...words,
        '--cluster-yes',
      ]);
      let output = '';
      child.stdout.on('data', (chunk: Buffer) => {
        output = (output + chunk.toString()).slice(-2000);
      });
      const [code] = await once(child, 'exit');
      if (code !== 0) throw new Error(`redis-cli --cluster reshard ended with ${code}:\n${output}`);
    },
    stop: async () => {
      await Promise.all(daemons.map((daemon) => daemon.end('SIGKILL')));
      for (const directory of directories) directory.remove();
    },
  };
};
