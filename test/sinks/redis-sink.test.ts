import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { RedisSink, type RedisSinkOptions } from '../../sinks/redis/index.js';
import { startRedis } from '../services/index.js';
import { CommandRunner } from '../support/command-runner.js';
import { pluginContext } from '../support/plugin-context.js';
import { TcpProxy } from '../support/tcp-proxy.js';
import { TestRedis } from '../support/test-redis.js';
import { TestSource } from '../support/test-source.js';
import { waitUntil } from '../support/wait-until.js';

const controlKey = 'tailrace:orders:position';
const signal = new AbortController().signal;

describe('the redis sink', () => {
  const redis = new TestRedis();
  const source = new TestSource();

  const open = (options: Partial<RedisSinkOptions> = {}): RedisSink => {
    return source.own(
      new RedisSink(
        {
          url: redis.url,
          password: '',
          positionKey: 'tailrace:{pipeline}:position',
          namespaces: { default: '' },
          ...options,
        },
        pluginContext(),
      ),
    );
  };

  it('writes changes and position together, and a new claim finds the position', async () => {
    const sink = open();
    const claim = await sink.claim(signal);
    expect(claim).toEqual({ epoch: 1, position: null });
    source.run('SET', 'a', '1');
    source.run('HSET', 'h', 'f', 'v');
    source.run('RPUSH', 'l', 'x', 'y');
    const first = await source.take();
    expect(await sink.write(first, claim)).toEqual({ kind: 'durable' });
    source.run('RPUSH', 'l', 'z');
    const second = await source.take();
    expect(await sink.write(second, claim)).toEqual({ kind: 'durable' });

    expect(await redis.client.get('a')).toBe('1');
    expect(await redis.client.hgetall('h')).toEqual({ f: 'v' });
    expect(await redis.client.lrange('l', 0, -1)).toEqual(['x', 'y', 'z']);
    expect(await open().claim(signal)).toEqual({ epoch: 2, position: second.position });
  });

  it('loses nothing of a key whose expiry was put off while the sink lagged, by less than its grace', async () => {
    const sink = open({ expiryGrace: 3_600_000 });
    const claim = await sink.claim(signal);
    const now = Date.now();
    source.nowMs = () => now; // at the source everything comes in time, however slow this machine is
    source.run('HSET', 'session', 'user', 'ada');
    source.run('PEXPIRE', 'session', '60');
    expect(await sink.write(await source.take(), claim)).toEqual({ kind: 'durable' });
    source.run('SET', 'token', 'x', 'PX', '60');
    source.run('HSET', 'session', 'cart', '3');
    source.run('PEXPIRE', 'session', '600000');
    source.run('PERSIST', 'token');
    await sleep(100);
    expect(await sink.write(await source.take(), claim)).toEqual({ kind: 'durable' });
    expect(await redis.client.hgetall('session')).toEqual({ user: 'ada', cart: '3' });
    expect(await redis.client.get('token')).toBe('x');
    expect(await redis.client.pttl('token')).toBe(-1);
    const left = await redis.client.pttl('session');
    expect(left).toBeGreaterThan(3_600_000);
    expect(left).toBeLessThanOrEqual(4_200_000);
  });

  it('keeps a position of its own for each sink of a pipeline in the same Redis', async () => {
    const sink = open();
    const claim = await sink.claim(signal);
    const options = { url: redis.url, password: '', positionKey: 'tailrace:{pipeline}:position' };
    const other = new RedisSink(
      { ...options, namespaces: { default: 'copy:' } },
      { ...pluginContext(), sink: 'other' },
    );
    source.own(other);
    const otherClaim = await other.claim(signal);
    source.run('SET', 'a', '1');
    const batch = await source.take();
    expect(await sink.write(batch, claim)).toEqual({ kind: 'durable' });
    expect(await other.write(batch, otherClaim)).toEqual({ kind: 'durable' });
    expect(await redis.client.mget('a', 'copy:a')).toEqual(['1', '1']);
    expect((await redis.client.keys('tailrace:*')).sort()).toEqual([
      'tailrace:orders.other:position',
      'tailrace:orders:position',
    ]);
  });

  it('keeps the position when the batch flushes the database', async () => {
    const sink = open();
    const claim = await sink.claim(signal);
    source.run('HSET', 'old', 'f', 'v');
    expect(await sink.write(await source.take(), claim)).toEqual({ kind: 'durable' });
    source.run('FLUSHDB');
    source.run('HSET', 'new', 'f', 'v');
    const batch = await source.take();
    expect(await sink.write(batch, claim)).toEqual({ kind: 'durable' });
    expect((await redis.client.keys('*')).sort()).toEqual(['new', controlKey]);
    expect((await open().claim(signal)).position).toEqual(batch.position);
  });

  it('lets a process that was overtaken change nothing', async () => {
    const zombie = open();
    const zombieClaim = await zombie.claim(signal);
    const successor = open();
    const claim = await successor.claim(signal);
    source.run('RPUSH', 'l', 'once');
    const batch = await source.take();
    expect((await zombie.write(batch, zombieClaim)).kind).toBe('fenced');
    expect(await redis.client.exists('l')).toBe(0);
    expect(await successor.write(batch, claim)).toEqual({ kind: 'durable' });
    expect((await zombie.write(batch, zombieClaim)).kind).toBe('fenced');
    expect(await redis.client.lrange('l', 0, -1)).toEqual(['once']);
  });

  it('begins anew when somebody flushes the target, also in front of what was sent ahead', async () => {
    const sink = open();
    for (const isAhead of [false, true]) {
      const claim = await sink.claim(signal);
      expect(claim.position).toBeNull();
      source.run('RPUSH', 'l', 'first');
      const first = { ...(await source.take()), previous: null };
      expect(await sink.write(first, claim)).toEqual({ kind: 'durable' });
      source.run('RPUSH', 'l', 'second');
      const second = await source.take();
      if (isAhead) sink.prepare(second.transactions);
      await redis.client.flushall();
      expect(await sink.write(second, claim)).toMatchObject({
        kind: 'unknown',
        error: { message: expect.stringContaining('flushed') },
      });
      expect(await redis.client.dbsize()).toBe(0);
    }
  });

  it('refuses a batch that does not follow what it holds, and a claim that is not its last', async () => {
    const sink = open();
    const old = await sink.claim(signal);
    const claim = await sink.claim(signal);
    source.run('SET', 'a', '1');
    const first = await source.take();
    source.run('SET', 'a', '2');
    const second = await source.take();
    expect((await sink.write(first, old)).kind).toBe('fenced');
    expect((await sink.write(second, claim)).kind).toBe('fenced');
    expect(await redis.client.exists('a')).toBe(0);
    expect(await sink.write(first, claim)).toEqual({ kind: 'durable' });
  });

  it('stops at a key of another type, names it, and is not claimed again before it is mended', async () => {
    const sink = open();
    const claim = await sink.claim(signal);
    await redis.client.set('taken', 'by someone else');
    source.run('RPUSH', 'l', 'x');
    source.run('HSET', 'taken', 'f', 'v');
    const outcome = await sink.write(await source.take(), claim);
    // Where a hash begins anew the old key is deleted first; a field that is added to it later fails.
    expect(outcome.kind).toBe('durable');
    await redis.client.set('taken', 'by someone else');
    source.run('RPUSH', 'l', 'y');
    source.run('HSET', 'taken', 'g', 'w');
    const failed = await sink.write(await source.take(), claim);
    expect(failed).toMatchObject({ kind: 'fatal', error: { code: 'SINK_FAILED' } });
    const text = /put hash of key "taken" at sequence number \d+: WRONGTYPE/;
    expect(failed.kind === 'fatal' && failed.error.message).toMatch(text);
    expect(await redis.client.lrange('l', 0, -1)).toEqual(['x', 'y']);
    await expect(open().claim(signal)).rejects.toMatchObject({
      code: 'SINK_FAILED',
      message: expect.stringMatching(text),
    });
    await redis.client.del('taken');
    await redis.client.hset('taken', 'f', 'v', 'g', 'w');
    await redis.client.hdel(controlKey, 'failed');
    const next = open();
    const nextClaim = await next.claim(signal);
    source.run('RPUSH', 'l', 'z');
    expect(await next.write(await source.take(), nextClaim)).toEqual({ kind: 'durable' });
    expect(await redis.client.lrange('l', 0, -1)).toEqual(['x', 'y', 'z']);
  });

  it('finds a command that failed although the process died before it read the reply', async () => {
    await using proxy = await TcpProxy.open(redis.port);
    const sink = open({ url: `redis://127.0.0.1:${proxy.port}` });
    const claim = await sink.claim(signal);
    source.run('HSET', 'taken', 'f', 'v');
    await sink.write(await source.take(), claim);
    await redis.client.set('taken', 'by someone else');
    source.run('HSET', 'taken', 'g', 'w');
    const batch = await source.take();
    proxy.holdReplies();
    const outcome = sink.write(batch, claim);
    await waitUntil(
      'the batch is in the target',
      async () => (await redis.client.hget(controlKey, 'sequence')) === String(batch.position.sequence),
    );
    proxy.cut();
    expect((await outcome).kind).toBe('unknown');
    await expect(open().claim(signal)).rejects.toMatchObject({
      code: 'SINK_FAILED',
      context: { failed: 1, sequence: batch.position.sequence },
    });
  });

  it('tells the truth after a connection that was lost before, and one lost behind EXEC', async () => {
    await using proxy = await TcpProxy.open(redis.port);
    const sink = open({ url: `redis://127.0.0.1:${proxy.port}` });
    const claim = await sink.claim(signal);
    source.run('RPUSH', 'l', 'x');
    const first = await source.take();
    proxy.cut();
    expect((await sink.write(first, claim)).kind).toBe('unknown');
    expect(await sink.claim(signal)).toEqual({ epoch: 2, position: null });
    expect(await sink.write(first, { epoch: 2, position: null })).toEqual({ kind: 'durable' });

    source.run('RPUSH', 'l', 'y');
    const second = await source.take();
    proxy.holdReplies();
    const outcome = sink.write(second, { epoch: 2, position: null });
    await waitUntil('the batch is in the target', async () => (await redis.client.llen('l')) === 2);
    proxy.cut();
    expect((await outcome).kind).toBe('unknown');
    proxy.releaseReplies();
    expect(await sink.claim(signal)).toEqual({ epoch: 3, position: second.position });
  });

  it('ends with an unknown outcome when the server kills its connection', async () => {
    const sink = open();
    const claim = await sink.claim(signal);
    source.run('SET', 'a', '1');
    const batch = await source.take();
    const outcome = sink.write(batch, claim);
    await redis.client.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
    const { kind } = await outcome;
    const held = await sink.claim(signal);
    // Either the write was first, or the kill; the position says which.
    if (held.position === null) {
      expect(kind).toBe('unknown');
      expect(await redis.client.exists('a')).toBe(0);
    } else expect(await redis.client.get('a')).toBe('1');
  });

  it('may try again on the same connection when the server was out of memory', async () => {
    const sink = open();
    const claim = await sink.claim(signal);
    source.run('SET', 'a', 'x'.repeat(1000));
    const batch = await source.take();
    await redis.client.config('SET', 'maxmemory', '1');
    try {
      expect(await sink.write(batch, claim)).toMatchObject({
        kind: 'retryable',
        error: { message: expect.stringContaining('OOM') },
      });
    } finally {
      await redis.client.config('SET', 'maxmemory', '0');
    }
    expect(await redis.client.exists('a')).toBe(0);
    expect(await sink.write(batch, claim)).toEqual({ kind: 'durable' });
  });

  it('applies nothing on a server that became a replica, and cannot claim it', async () => {
    const sink = open();
    const claim = await sink.claim(signal);
    source.run('SET', 'a', '1');
    const batch = await source.take();
    await redis.client.replicaof('127.0.0.1', '1');
    try {
      expect(await sink.write(batch, claim)).toMatchObject({
        kind: 'unknown',
        error: { message: expect.stringContaining('READONLY') },
      });
      await expect(sink.claim(signal)).rejects.toMatchObject({
        code: 'SINK_UNREACHABLE',
        message: expect.stringContaining('READONLY'),
      });
    } finally {
      await redis.client.replicaof('NO', 'ONE');
    }
    const again = await sink.claim(signal);
    expect(again.position).toBeNull();
    expect(await sink.write(batch, again)).toEqual({ kind: 'durable' });
  });

  it('rejects the changes of a namespace that has no place, applies nothing, and takes the rest', async () => {
    const sink = open({ namespaces: { default: '', known: 'known:' } });
    const claim = await sink.claim(signal);
    source.run('SET', 'a', '1');
    new CommandRunner(source.engine, 'known').run('SET', 'b', '2');
    new CommandRunner(source.engine, 'other').run('SET', 'c', '3');
    const batch = await source.take();
    expect(await sink.write(batch, claim)).toMatchObject({
      kind: 'poison',
      rejections: [{ transaction: 2, change: 0, reason: expect.stringContaining('other') }],
    });
    expect(await redis.client.exists('a', 'known:b')).toBe(0);
    const kept = batch.transactions.slice(0, 2);
    expect(await sink.write({ ...batch, transactions: kept }, claim)).toEqual({ kind: 'durable' });
    expect(await redis.client.mget('a', 'known:b')).toEqual(['1', '2']);
  });

  it('is refused with a wrong password, or without the right to write', async () => {
    await redis.client.acl('SETUSER', 'limited', 'on', '>secret', '~*', '+@all', '-set');
    try {
      const place = redis.url.replace('redis://', '');
      await expect(open({ url: `redis://limited:wrong@${place}` }).claim(signal)).rejects.toMatchObject({
        code: 'SINK_REFUSED',
      });
      const sink = open({ url: `redis://limited@${place}`, password: 'secret' });
      const claim = await sink.claim(signal);
      source.run('SET', 'a', '1');
      expect(await sink.write(await source.take(), claim)).toMatchObject({
        kind: 'fatal',
        error: { code: 'SINK_REFUSED' },
      });
      expect(await redis.client.exists('a')).toBe(0);
    } finally {
      await redis.client.acl('DELUSER', 'limited');
    }
  });

  it('rejects the change whose command the server does not have', async () => {
    const bare = await startRedis(['--rename-command', 'RPUSH', '']);
    try {
      const sink = open({ url: bare.url });
      const claim = await sink.claim(signal);
      source.run('SET', 'a', '1');
      source.run('MSET', 'b', '2', 'c', '3');
      source.run('RPUSH', 'l', 'x', 'y');
      source.run('SET', 'd', '4');
      const batch = await source.take();
      expect(await sink.write(batch, claim)).toMatchObject({
        kind: 'poison',
        // Change 0 deletes the key: it begins anew.
        rejections: [1, 2].map((change) => ({
          transaction: 2,
          change,
          reason: expect.stringContaining('unknown command'),
        })),
      });
      const kept = batch.transactions.filter((_, at) => at !== 2);
      expect(await sink.write({ ...batch, transactions: kept }, claim)).toEqual({ kind: 'durable' });
    } finally {
      await bare.stop();
    }
  });

  it('does not take a position that somebody has spoilt for no position', async () => {
    await redis.client.hset(controlKey, { epoch: 1, sequence: 'seven', count: 1, crc: 2 });
    await expect(open().claim(signal)).rejects.toMatchObject({ code: 'OFFSETS_CORRUPT' });
    await redis.client.del(controlKey);
    await redis.client.set(controlKey, 'not a hash');
    await expect(open().claim(signal)).rejects.toMatchObject({ code: 'SINK_REFUSED' });
  });

  it('writes batches that are larger than what it sends at a time', async () => {
    const sink = open();
    const claim = await sink.claim(signal);
    const large = Buffer.alloc(3 * 1024 * 1024, 0x0a);
    source.run('SET', 'large', large);
    for (let i = 0; i < 5_000; i++) source.run('RPUSH', 'l', String(i));
    expect(await sink.write(await source.take(), claim)).toEqual({ kind: 'durable' });
    expect((await redis.client.getBuffer('large'))?.equals(large)).toBe(true);
    expect(await redis.client.lrange('l', 0, -1)).toEqual(Array.from({ length: 5_000 }, (_, i) => String(i)));
  });
});
