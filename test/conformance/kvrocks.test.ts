import { KvrocksSink } from '../../sinks/kvrocks/index.js';
import { sinkConformance } from '../../src/kit/conformance/index.js';
import { defaultRequestLimits } from '../../src/resp/index.js';
import { pluginContext } from '../support/plugin-context.js';
import { useServer } from '../support/use-server.js';

// More than what the suite writes at once.
const largestWordBytes = 16 * 1024 * 1024;
const served = useServer('kvrocks-sink', {
  engine: { sync: 'none' },
  server: { request: { ...defaultRequestLimits, bulkBytes: largestWordBytes } },
});

sinkConformance('kvrocks', {
  open: () =>
    new KvrocksSink(
      {
        url: `redis://127.0.0.1:${served.server.port}`,
        password: '',
        delivery: 'exactly-once',
        positionKey: 'tailrace:{pipeline}:position',
      },
      pluginContext('conformance'),
    ),
  contents: async () => {
    const state = new Map<string, string>();
    for (const key of (await served.client.call('KEYS', '*')) as Buffer[]) {
      if (key.toString().startsWith('tailrace:')) continue;
      state.set(key.toString('hex'), ((await served.client.call('GET', key)) as Buffer).toString('hex'));
    }
    return state;
  },
  fencing: 'epoch',
  refusable: { key: Buffer.from('too large'), value: Buffer.alloc(largestWordBytes, 'x') },
  stall: async () => {
    await served.client.call('CLIENT', 'PAUSE', '600000', 'WRITE');
    return () => served.client.call('CLIENT', 'UNPAUSE');
  },
  clean: async () => {
    await served.client.call('FLUSHALL');
  },
});
