import { RespConnection } from '../../../src/kit/index.js';
import { startRedisCluster } from '../../services/index.js';
import { TcpProxy } from '../../support/tcp-proxy.js';
import { waitUntil } from '../../support/wait-until.js';
import type { CrashTarget } from '../crash-target.js';
import { readState, requireSameState } from '../source-truth.js';

/**
 * A cluster of three masters that sync each write, and are killed in turn. Each tells clients to connect to the proxy that
 * stands before it.
 */
export const startRedisClusterTarget = async (): Promise<CrashTarget> => {
  const cluster = await startRedisCluster();
  let kills = 0;
  const proxies: TcpProxy[] = [];
  const announce = async (node: number): Promise<void> => {
    const port = cluster.ports[node];
    const connection = await RespConnection.open({ host: '127.0.0.1', port });
    const words = ['cluster-announce-port', proxies[node].port, 'cluster-announce-bus-port', port + 10_000];
    const reply = await connection.call('CONFIG', 'SET', ...words);
    connection.close();
    if (reply instanceof Error) throw reply;
  };
  for (const [node, port] of cluster.ports.entries()) {
    proxies.push(await TcpProxy.open(port));
    await announce(node);
  }
  const isAnnounced = async (port: number): Promise<boolean> => {
    const connection = await RespConnection.open({ host: '127.0.0.1', port });
    const nodes = String(await connection.call('CLUSTER', 'NODES'));
    connection.close();
    return proxies.every((proxy) => nodes.includes(`127.0.0.1:${proxy.port}@`));
  };
  for (const port of cluster.ports)
    await waitUntil('the cluster tells of its proxies', () => isAnnounced(port));
  const root = 'tailrace:crash-redis-cluster:position';
  return {
    name: 'redis-cluster',
    port: undefined,
    proxies,
    fencing: 'epoch',
    sinkEntry: () => {
      const [url, ...nodes] = proxies.map(({ port }) => `redis://127.0.0.1:${port}`);
      return { sink: 'redis', cluster: true, url, nodes };
    },
    killAndRestart: async () => {
      const node = kills++ % cluster.ports.length;
      await cluster.kill(node);
      await cluster.restart(node);
      await announce(node);
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
    [Symbol.asyncDispose]: async () => {
      for (const proxy of proxies) await proxy[Symbol.asyncDispose]();
      await cluster.stop();
    },
  };
};
