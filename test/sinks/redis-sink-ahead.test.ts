import { describe, expect, it } from 'vitest';
import { RedisSink, type RedisSinkOptions } from '../../sinks/redis/index.js';
import type { SinkBatch } from '../../src/kit/index.js';
import { CommandRunner } from '../support/command-runner.js';
import { pluginContext } from '../support/plugin-context.js';
import { TcpProxy } from '../support/tcp-proxy.js';
import { TestRedis } from '../support/test-redis.js';
import { TestSource } from '../support/test-source.js';
import { waitUntil } from '../support/wait-until.js';

const signal = new AbortController().signal;

describe('the redis sink, told of the next write while one is under way', () => {
  const redis = new TestRedis();
  const source = new TestSource();

  const open = (options: Partial<RedisSinkOptions> = {}): RedisSink => {
    const defaults = { url: redis.url, password: '', positionKey: 'position', namespaces: { default: '' } };
    return source.own(new RedisSink({ ...defaults, ...options }, pluginContext()));
  };

  const pushed = async (...words: readonly string[]): Promise<SinkBatch> => {
    source.run('RPUSH', 'l', ...words);
    return await source.take();
  };

  const list = (): Promise<string[]> => redis.client.lrange('l', 0, -1);

  /** How many commands connections have queued in a MULTI. */
  const queuedCommands = async (): Promise<number> => {
    const clients = String(await redis.client.client('LIST'));
    return [...clients.matchAll(/ multi=(\d+)/g)].reduce((total, [, count]) => total + Number(count), 0);
  };

  it('has the server queue it before its turn, and carries it out when that comes', async () => {
    const sink = open();
    const claim = await sink.claim(signal);
    const first = await pushed('a');
    const second = await pushed('b');
    const third = await pushed('c');
    const writing = sink.write(first, claim);
    sink.prepare(second.transactions);
    sink.prepare(third.transactions); // one at a time
    expect(await writing).toEqual({ kind: 'durable' });
    await waitUntil('the second batch is queued', async () => (await queuedCommands()) === 2);
    expect(await list()).toEqual(['a']);
    expect(await sink.write(second, claim)).toEqual({ kind: 'durable' });
    expect(await sink.write(third, claim)).toEqual({ kind: 'durable' });
    expect(await list()).toEqual(['a', 'b', 'c']);
    expect((await open().claim(signal)).position).toEqual(third.position);
  });

  it('does not hear of it before anything is written, or behind a lost connection', async () => {
    await using proxy = await TcpProxy.open(redis.port);
    const sink = open({ url: `redis://127.0.0.1:${proxy.port}` });
    const first = await pushed('a');
    const second = await pushed('b');
    sink.prepare(first.transactions);
    const claim = await sink.claim(signal);
    sink.prepare(first.transactions);
    const writing = sink.write(first, claim);
    sink.prepare(second.transactions);
    expect(await writing).toEqual({ kind: 'durable' });
    proxy.cut();
    expect((await sink.write(second, claim)).kind).toBe('unknown');
    const again = await sink.claim(signal);
    expect(again.position).toEqual(first.position);
    expect(await sink.write(second, again)).toEqual({ kind: 'durable' });
    expect(await list()).toEqual(['a', 'b']);
  });

  it('drops it when something else is written', async () => {
    const sink = open();
    const claim = await sink.claim(signal);
    const first = await pushed('a');
    const second = await pushed('b');
    const writing = sink.write(first, claim);
    sink.prepare(second.transactions);
    await writing;
    const others = { ...second, transactions: [...second.transactions] };
    expect(await sink.write(others, claim)).toEqual({ kind: 'durable' });
    expect(await list()).toEqual(['a', 'b']);
  });

  it('drops it when the write before is put off, and takes both in order later', async () => {
    const sink = open();
    const claim = await sink.claim(signal);
    const first = await pushed('a');
    const second = await pushed('b');
    await redis.client.config('SET', 'maxmemory', '1');
    const writing = sink.write(first, claim);
    sink.prepare(second.transactions);
    expect((await writing).kind).toBe('retryable');
    await redis.client.config('SET', 'maxmemory', '0');
    expect(await queuedCommands()).toBe(0);
    expect(await sink.write(first, claim)).toEqual({ kind: 'durable' });
    expect(await sink.write(second, claim)).toEqual({ kind: 'durable' });
    expect(await list()).toEqual(['a', 'b']);
  });

  it('drops it behind a write that it rejects, and behind one with a command that fails', async () => {
    const sink = open();
    const claim = await sink.claim(signal);
    const first = await pushed('a');
    new CommandRunner(source.engine, 'unnamed').run('SET', 'k', 'v');
    const rejected = await source.take();
    const writing = sink.write(first, claim);
    sink.prepare(rejected.transactions);
    expect(await writing).toEqual({ kind: 'durable' });
    const second = await pushed('b');
    const rejecting = sink.write(rejected, claim);
    sink.prepare(second.transactions);
    expect(await rejecting).toMatchObject({ kind: 'poison', rejections: [{ transaction: 0, change: 0 }] });
    const transactions = rejected.transactions.map((transaction) => ({ ...transaction, changes: [] }));
    expect(await sink.write({ ...rejected, transactions }, claim)).toEqual({ kind: 'durable' });

    await redis.client.set('l', 'by someone else');
    const third = await pushed('c');
    const failing = sink.write(second, claim);
    sink.prepare(third.transactions);
    expect(await failing).toMatchObject({ kind: 'fatal', error: { code: 'SINK_FAILED' } });
    expect(await redis.client.hget('position', 'failure')).toMatch(/push list of key "l" .*WRONGTYPE/);
    expect(await queuedCommands()).toBe(0);
    expect(await redis.client.get('l')).toBe('by someone else');
  });

  it('changes nothing by it when another process has claimed meanwhile', async () => {
    for (const isSame of [true, false]) {
      const zombie = open();
      const claim = await zombie.claim(signal);
      const first = await pushed('a');
      const second = await pushed('b');
      const before = { ...first, previous: claim.position };
      const writing = zombie.write(before, claim);
      zombie.prepare(second.transactions);
      expect(await writing).toEqual({ kind: 'durable' });
      const successor = open();
      const held = await successor.claim(signal);
      expect(held.position).toEqual(first.position);
      const transactions = isSame ? second.transactions : [...second.transactions];
      expect((await zombie.write({ ...second, transactions }, claim)).kind).toBe('fenced');
      expect(await successor.write(second, held)).toEqual({ kind: 'durable' });
      expect((await zombie.write({ ...second, transactions }, claim)).kind).toBe('fenced');
    }
    expect(await list()).toEqual(['a', 'b', 'a', 'b']);
  });

  it('tries again, and is not taken for overtaken, where the server only takes its key for a changed one', async () => {
    const sink = open();
    const claim = await sink.claim(signal);
    source.run('RPUSH', 'l', '1');
    const first = await source.take();
    source.run('RPUSH', 'l', '2');
    const second = await source.take();
    sink.prepare(first.transactions);
    for (const _ of ['there', 'back']) await redis.client.swapdb(0, 1);
    const writing = sink.write(first, claim);
    sink.prepare(second.transactions);
    expect(await writing).toMatchObject({ kind: 'retryable' });
    expect(await sink.write(first, claim)).toEqual({ kind: 'durable' });
    expect(await sink.write(second, claim)).toEqual({ kind: 'durable' });
    expect(await redis.client.lrange('l', 0, -1)).toEqual(['1', '2']);
  });
});
