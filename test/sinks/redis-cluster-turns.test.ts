import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { requireCallable } from '../../sinks/redis/cluster/slot-calls.js';
import { dealOut } from '../../sinks/redis/cluster/slot-groups.js';
import { SlotLedger } from '../../sinks/redis/cluster/slot-ledger.js';
import { RedisClusterSink } from '../../sinks/redis/index.js';
import { type Change, CommandEncoder, type SinkBatch, Turns } from '../../src/kit/index.js';
import { type RedisClusterService, startRedisCluster } from '../services/index.js';
import { pluginContext } from '../support/plugin-context.js';

const signal = new AbortController().signal;
const count = 100_000;
let service: RedisClusterService;
beforeAll(async () => {
  service = await startRedisCluster();
});
afterAll(() => service.stop());

/** One transaction that sets so many keys. */
const large = (): SinkBatch =>
  inOne(
    Array.from({ length: count }, (_, at): Change => {
      const words = { key: Buffer.from(`key:${at}`), value: Buffer.from(String(at)), ttlAt: undefined };
      return { seq: 1 + at, index: at, ns: 'default', op: 'put', type: 'string', ...words };
    }),
  );

/** One transaction, as the first of all. */
const inOne = (changes: readonly Change[]): SinkBatch => {
  const { length } = changes;
  const transaction = { first: 1, last: length, count: length, bytes: Buffer.alloc(0) };
  return {
    transactions: [{ ...transaction, changes, undecodable: [] }],
    position: { sequence: length, count: length, crc: 0 },
    previous: null,
    byteLength: 0,
  };
};

const open = (): RedisClusterSink =>
  new RedisClusterSink(
    {
      urls: [`redis://127.0.0.1:${service.ports[0]}`],
      password: '',
      positionKey: 'position',
      namespaces: { default: '' },
    },
    pluginContext(),
  );

it('a large transaction is dealt out to the slots of a cluster in turns, and arrives whole', async () => {
  await using sink = open();
  const claim = await sink.claim(signal);
  const batch = large();
  let isDealt = false;
  const dealing = dealOut(batch, new CommandEncoder(), new SlotLedger(Buffer.alloc(0)), new Turns()).finally(
    () => {
      isDealt = true;
    },
  );
  let turns = 0;
  for (; !isDealt; turns++) await new Promise(setImmediate);
  expect((await dealing).groups.size).toBeGreaterThan(10_000);
  expect(turns).toBeGreaterThan(2);
  expect(await sink.write(batch, claim, signal)).toEqual({ kind: 'durable' });
  let keys = 0;
  for (const port of service.ports) {
    const node = new Redis(port);
    keys += (await node.keys('key:*')).length;
    node.disconnect();
  }
  expect(keys).toBe(count);
});

it('a write with more words for one slot than the servers take is told what helps', () => {
  const place = (transaction: number) => ({ transaction, change: 0 });
  const over = (...transactions: number[]) => {
    const group = { slot: 1, changes: [], places: transactions.map(place) };
    return () => requireCallable(group, 1_100_000, 1_000_000);
  };
  expect(over(3, 3)).toThrow(
    expect.objectContaining({ remedy: expect.stringContaining('single transaction') }),
  );
  expect(over(3, 4)).toThrow(
    expect.objectContaining({ remedy: expect.stringContaining('limits.batchBytes') }),
  );
});
