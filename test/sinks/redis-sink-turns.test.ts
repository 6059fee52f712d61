import { describe, expect, it } from 'vitest';
import { RedisSink, type RedisSinkOptions } from '../../sinks/redis/index.js';
import type { Change, SinkBatch } from '../../src/kit/index.js';
import { pluginContext } from '../support/plugin-context.js';
import { TestRedis } from '../support/test-redis.js';
import { TestSource } from '../support/test-source.js';

const signal = new AbortController().signal;
const count = 300_000;

describe('the redis sink, given a large transaction', () => {
  const redis = new TestRedis();
  const source = new TestSource();

  const open = (options: Partial<RedisSinkOptions> = {}): RedisSink => {
    const defaults = { url: redis.url, password: '', positionKey: 'position', namespaces: { default: '' } };
    return source.own(new RedisSink({ ...defaults, ...options }, pluginContext()));
  };

  const pushed = (seq: number, ns = 'default'): Change => ({
    seq,
    index: seq,
    ns,
    op: 'push',
    type: 'list',
    side: 'tail',
    key: Buffer.from('l'),
    value: Buffer.from(String(seq)),
  });

  /** One that pushes the numbers from 0 on; the last of them in another namespace. */
  const large = async (lastNamespace = 'default'): Promise<SinkBatch> => {
    source.run('RPUSH', 'l', 'x');
    const batch = await source.take();
    const [transaction] = batch.transactions;
    const changes = Array.from({ length: count }, (_, seq) =>
      pushed(seq, seq === count - 1 ? lastNamespace : 'default'),
    );
    return { ...batch, transactions: [{ ...transaction, count, changes }] };
  };

  it.each<RedisSinkOptions['namespaces']>([{ default: '' }, { default: 0, other: 1 }])(
    'applies all of it or nothing, in order, in turns: %o',
    async (namespaces) => {
      const sink = open({ namespaces });
      const claim = await sink.claim(signal);
      const batch = await large();
      const started = performance.now();
      const writing = sink.write(batch, claim);
      const firstTurnMs = performance.now() - started;
      expect(await writing).toEqual({ kind: 'durable' });
      expect(firstTurnMs).toBeLessThan((performance.now() - started) / 4);
      const words = await redis.client.lrange('l', 0, -1);
      expect(words.length).toBe(count);
      expect(words.findIndex((word, at) => word !== String(at))).toBe(-1);
    },
  );

  it('names the change that it cannot take, and applies nothing', async () => {
    const sink = open();
    const claim = await sink.claim(signal);
    expect(await sink.write(await large('nowhere'), claim)).toMatchObject({
      kind: 'poison',
      rejections: [{ transaction: 0, change: count - 1 }],
    });
    expect(await redis.client.exists('l')).toBe(0);
  });

  it('is closed in the middle of it, and applies nothing', async () => {
    const sink = open();
    const claim = await sink.claim(signal);
    const writing = sink.write(await large(), claim);
    await sink[Symbol.asyncDispose]();
    expect(await writing).toMatchObject({ kind: 'unknown' });
    const next = open();
    expect((await next.claim(signal)).position).toBeNull();
    expect(await redis.client.exists('l')).toBe(0);
  });

  it('is given the next one meanwhile, and carries out both in order', async () => {
    const sink = open();
    const claim = await sink.claim(signal);
    source.run('RPUSH', 'l', 'first');
    const first = await source.take();
    const second = await large();
    const writing = sink.write(first, claim);
    sink.prepare(second.transactions);
    expect(await writing).toEqual({ kind: 'durable' });
    expect(await sink.write(second, claim)).toEqual({ kind: 'durable' });
    const [head] = await redis.client.lrange('l', 0, 0);
    expect([head, await redis.client.llen('l')]).toEqual(['first', count + 1]);
  });
});
