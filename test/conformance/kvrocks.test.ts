import { afterAll, beforeAll } from 'vitest';
import { KvrocksSink } from '../../sinks/kvrocks/index.js';
import { Engine } from '../../src/engine/index.js';
import { sinkConformance } from '../../src/kit/conformance/index.js';
import { defaultRequestLimits, RespConnection } from '../../src/resp/index.js';
import { Server } from '../../src/server/index.js';
import { throwAwayDirectory } from '../services/index.js';
import { pluginContext } from '../support/plugin-context.js';

// More than what the suite writes at once.
const largestWordBytes = 16 * 1024 * 1024;
let directory: ReturnType<typeof throwAwayDirectory>;
let engine: Engine;
let server: Server;
let client: RespConnection;

beforeAll(async () => {
  directory = throwAwayDirectory('kvrocks-sink');
  engine = await Engine.open(directory.path, { sync: 'none' });
  server = await Server.listen(engine, {
    port: 0,
    request: { ...defaultRequestLimits, bulkBytes: largestWordBytes },
  });
  client = await RespConnection.open({ host: '127.0.0.1', port: server.port });
});
afterAll(async () => {
  client.close();
  await server.close();
  await engine.close();
  directory.remove();
});

sinkConformance('kvrocks', {
  open: () =>
    new KvrocksSink(
      {
        url: `redis://127.0.0.1:${server.port}`,
        password: '',
        delivery: 'exactly-once',
        positionKey: 'tailrace:{pipeline}:position',
      },
      pluginContext('conformance'),
    ),
  contents: async () => {
    const state = new Map<string, string>();
    for (const key of (await client.call('KEYS', '*')) as Buffer[]) {
      if (key.toString().startsWith('tailrace:')) continue;
      state.set(key.toString('hex'), ((await client.call('GET', key)) as Buffer).toString('hex'));
    }
    return state;
  },
  fencing: 'epoch',
  refusable: { key: Buffer.from('too large'), value: Buffer.alloc(largestWordBytes, 'x') },
  stall: async () => {
    await client.call('CLIENT', 'PAUSE', '600000', 'WRITE');
    return () => client.call('CLIENT', 'UNPAUSE');
  },
  clean: async () => {
    await client.call('FLUSHALL');
  },
});
