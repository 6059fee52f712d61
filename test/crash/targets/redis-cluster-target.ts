import { RespConnection } from '../../../src/kit/index.js';
import { startRedisCluster } from '../../services/index.js';
import type { CrashTarget } from '../crash-target.js';
import { readState, requireSameState } from '../source-truth.js';

/**
 * A cluster of three masters that sync each write. There is no proxy: its nodes tell clients where each other are; the
 * masters are killed in turn.
 */
export const startRedisClusterTarget = async (): Promise<CrashTarget> => {
  const cluster = await startRedisCluster();
  let kills = 0;
  const root = 'tailrace:crash-redis-cluster:position';
  return {
    name: 'redis-cluster',
    port: undefined,
    fencing: 'epoch',
    sinkEntry: () => {
      const [url, ...nodes] = cluster.ports.map((port) => `redis://127.0.0.1:${port}`);
      return { sink: 'redis', cluster: true, url, nodes };
    },
    killAndRestart: async () => {
      const node = kills++ % cluster.ports.length;
      await cluster.kill(node);
      await cluster.restart(node);
    },
    position: async () => {
      for (const port of cluster.ports) {
        const connection = await RespConnection.open({ host: '127.0.0.1', port });
        const sequence = await connection.call('HGET', root, 'sequence');
        connection.close();
        if (!(sequence instanceof Error)) return Number(sequence ?? 0);
      }
      return 0;
    },
    verify: async ({ state }) => {
      const parts = await Promise.all(cluster.ports.map(readState));
      requireSameState(new Map(parts.flatMap((part) => [...part])), state);
    },
    [Symbol.asyncDispose]: () => cluster.stop(),
  };
};
