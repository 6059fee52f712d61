import { Cluster } from 'ioredis';
import { afterAll, beforeAll } from 'vitest';
import { RedisClusterSink } from '../../sinks/redis/index.js';
import { sinkConformance } from '../../src/kit/conformance/index.js';
import { type RedisClusterService, startRedisCluster } from '../services/index.js';
import { pluginContext } from '../support/plugin-context.js';

const largestWordBytes = 2 * 1024 * 1024;
let service: RedisClusterService;
let client: Cluster;
beforeAll(async () => {
  service = await startRedisCluster();
  client = new Cluster([{ host: '127.0.0.1', port: service.ports[0] ?? 0 }]);
  await client.ping();
  for (const node of client.nodes('master'))
    await node.config('SET', 'proto-max-bulk-len', `${largestWordBytes}`);
});
afterAll(async () => {
  client.disconnect();
  await service.stop();
});

sinkConformance('redis cluster', {
  open: () =>
    new RedisClusterSink(
      {
        urls: [`redis://127.0.0.1:${service.ports[1]}`],
        password: '',
        positionKey: 'tailrace:{pipeline}:position',
        namespaces: { default: '' },
      },
      pluginContext('conformance'),
    ),
  contents: async () => {
    const state = new Map<string, string>();
    for (const node of client.nodes('master'))
      for (const key of await node.keysBuffer('*')) {
        if (key.toString().startsWith('tailrace:')) continue;
        state.set(key.toString('hex'), (await node.getBuffer(key))?.toString('hex') ?? '');
      }
    return state;
  },
  fencing: 'epoch',
  refusable: { key: Buffer.from('too large'), value: Buffer.alloc(largestWordBytes + 1, 'x') },
  stall: async () => {
    for (const node of client.nodes('master')) await node.call('CLIENT', 'PAUSE', '600000', 'WRITE');
    return async () => {
      for (const node of client.nodes('master')) await node.call('CLIENT', 'UNPAUSE');
    };
  },
  clean: async () => {
    for (const node of client.nodes('master')) await node.flushall();
  },
});
