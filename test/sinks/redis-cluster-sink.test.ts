import type { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { addressOf } from '../../sinks/redis/cluster/cluster-nodes.js';
import { RedisSink } from '../../sinks/redis/index.js';
import { parseRedisUrl, RespConnection, type SinkBatch, slotOf } from '../../src/kit/index.js';
import { type RedisService, startRedis } from '../services/index.js';
import { CommandRunner } from '../support/command-runner.js';
import { pluginContext } from '../support/plugin-context.js';
import { type RedisKeyState, readRedisState } from '../support/redis-state.js';
import { SeededRandom } from '../support/seeded-random.js';
import { SinkBatches } from '../support/sink-batches.js';
import { ClusterStage, root, slotKey } from './cluster-stage.js';

const signal = new AbortController().signal;
const isOwn = (key: string): boolean => key.startsWith('tailrace:');

describe('the redis sink of a cluster', () => {
  const cluster = new ClusterStage();
  const { source, open, find, masterOf } = cluster;
  let calm: RedisService;
  beforeAll(async () => {
    calm = await startRedis();
  });
  afterAll(() => calm.stop());

  const stateOf = async (ports: readonly number[]): Promise<[string, RedisKeyState][]> => {
    const all: [string, RedisKeyState][] = [];
    for (const port of ports) {
      const connection = await RespConnection.open(parseRedisUrl(`redis://127.0.0.1:${port}`));
      all.push(...(await readRedisState(connection)));
      connection.close();
    }
    return all.filter(([key]) => !isOwn(key)).sort(([a], [b]) => (a < b ? -1 : 1));
  };

  /** All keys of a node, as it could be restored from a replica that was behind. */
  const dump = async (node: Redis): Promise<[string, Buffer][]> => {
    const keys = await node.keys('*');
    return Promise.all(
      keys.map(
        async (key): Promise<[string, Buffer]> => [key, (await node.dumpBuffer(key)) ?? Buffer.alloc(0)],
      ),
    );
  };

  it('holds what a single Redis would hold, of every type, from batches of any cut', async () => {
    const random = SeededRandom.fromEnvironment('cluster sink');
    for (let i = 0; i < 600; i++) {
      const key = random.below(30);
      const word = `v${random.below(1000)}`;
      const makers: readonly (() => unknown)[] = [
        () => source.run('SET', `string ${key}`, word),
        () => source.run('SET', `short ${key}`, word, 'EX', 100_000 + key),
        () => source.run('MSET', `string ${key}`, word, `string ${key + 1}`, word),
        () => source.run('HSET', `hash ${key}`, `f${random.below(9)}`, word, 'g', word),
        () => source.run('HDEL', `hash ${key}`, `f${random.below(9)}`),
        () => source.run('RPUSH', `list ${key}`, word, word),
        () => source.run('LPOP', `list ${key}`),
        () => source.run('ZADD', `zset ${key}`, random.below(50) / 4, word),
        () => source.run('SADD', `set ${key}`, word),
        () => source.run('XADD', `stream ${key}`, `${i + 1}-1`, 'field', word),
        () => source.run('SETBIT', `bits ${key}`, random.below(20_000), 1),
        () => source.run('PFADD', `hll ${key}`, word),
        () => source.run('EXPIRE', `hash ${key}`, 50_000),
        () => source.run('DEL', random.pick([`list ${key}`, `hash ${key}`, `string ${key}`])),
      ];
      makers[random.below(makers.length)]?.();
    }
    const sink = open();
    const claim = await sink.claim(signal);
    const reference = new RedisSink(
      { url: calm.url, password: '', positionKey: 'tailrace:p', namespaces: { default: '' } },
      pluginContext(),
    );
    source.own(reference);
    const referenceClaim = await reference.claim(signal);
    while (true) {
      const batch = await source.take(1 + random.below(120)).catch(() => undefined);
      if (batch === undefined) break;
      expect(await sink.write(batch, claim, signal)).toEqual({ kind: 'durable' });
      expect(await reference.write(batch, referenceClaim)).toEqual({ kind: 'durable' });
    }
    expect(await stateOf(cluster.ports)).toEqual(await stateOf([calm.port]));
  });

  it('resumes slot by slot after a crash in the middle of a batch, pushes included', async () => {
    const sink = open();
    const claim = await sink.claim(signal);
    for (const key of ['a', 'b', 'c', 'd', 'e']) source.run('RPUSH', key, '1');
    const first = await source.take();
    expect(await sink.write(first, claim, signal)).toEqual({ kind: 'durable' });
    for (const key of ['a', 'b', 'c', 'd', 'e']) source.run('RPUSH', key, '2');
    const second = await source.take();
    const stuck = await find('a');
    // One master takes nothing more, as if the process had died between the masters.
    await stuck.config('SET', 'maxmemory', '1');
    expect((await sink.write(second, claim, signal)).kind).toBe('retryable');
    await stuck.config('SET', 'maxmemory', '0');
    const lengths = async (): Promise<number[]> =>
      Promise.all(['a', 'b', 'c', 'd', 'e'].map(async (key) => (await find(key)).llen(key)));
    expect(new Set(await lengths())).toEqual(new Set([1, 2]));

    const successor = open();
    const taken = await successor.claim(signal);
    expect(taken.position).toEqual(first.position);
    expect((await sink.write(second, claim, signal)).kind).toBe('fenced');
    // Cut differently this time.
    const cut = new SinkBatches(source.engine);
    await cut.take(5);
    const [one, two] = [await cut.take(2), await cut.take()];
    expect(await successor.write(one, taken, signal)).toEqual({ kind: 'durable' });
    expect(await successor.write(two, taken, signal)).toEqual({ kind: 'durable' });
    expect(await lengths()).toEqual([2, 2, 2, 2, 2]);
  });

  it('goes back when a master lost its newest writes, and repeats nothing elsewhere', async () => {
    const sink = open();
    const claim = await sink.claim(signal);
    const keys = Array.from({ length: 12 }, (_, i) => `list ${i}`);
    for (const key of keys) source.run('RPUSH', key, '1');
    const first = await source.take();
    expect(await sink.write(first, claim, signal)).toEqual({ kind: 'durable' });
    const loser = await find('list 0');
    const kept = await dump(loser);
    for (const key of keys) source.run('RPUSH', key, '2');
    const second = await source.take();
    expect(await sink.write(second, claim, signal)).toEqual({ kind: 'durable' });
    // A master without any part of a batch is not mistaken for one that is behind.
    source.run('RPUSH', 'list 0', '3');
    const third = await source.take();
    expect(await sink.write(third, claim, signal)).toEqual({ kind: 'durable' });
    expect((await open().claim(signal)).position).toEqual(third.position);

    await loser.flushall();
    for (const [key, bytes] of kept) await loser.restore(key, 0, bytes);
    const successor = open();
    let taken = await successor.claim(signal);
    expect(taken.position).toEqual(first.position);
    // Also when the process ends before anything was delivered again.
    taken = await successor.claim(signal);
    expect(taken.position).toEqual(first.position);
    expect(await successor.write(second, taken, signal)).toEqual({ kind: 'durable' });
    expect(await successor.write(third, taken, signal)).toEqual({ kind: 'durable' });
    for (const key of keys)
      expect(await (await find(key)).lrange(key, 0, -1)).toEqual(
        key === 'list 0' ? ['1', '2', '3'] : ['1', '2'],
      );
  });

  it('notices while it runs that a master lost its newest writes', async () => {
    const sink = open();
    const claim = await sink.claim(signal);
    source.run('RPUSH', 'l', '1');
    const first = await source.take();
    expect(await sink.write(first, claim, signal)).toEqual({ kind: 'durable' });
    const loser = await find('l');
    const kept = await dump(loser);
    source.run('RPUSH', 'l', '2');
    const second = await source.take();
    expect(await sink.write(second, claim, signal)).toEqual({ kind: 'durable' });
    await loser.flushall();
    for (const [key, bytes] of kept) await loser.restore(key, 0, bytes);
    source.run('RPUSH', 'l', '3');
    const third = await source.take();
    expect((await sink.write(third, claim, signal)).kind).toBe('unknown');
    const again = await sink.claim(signal);
    expect(again.position).toEqual(first.position);
    expect(await sink.write(second, again, signal)).toEqual({ kind: 'durable' });
    expect(await sink.write(third, again, signal)).toEqual({ kind: 'durable' });
    expect(await loser.lrange('l', 0, -1)).toEqual(['1', '2', '3']);
  });

  it('notices that a master lost the end of a batch, also in what is not written to again', async () => {
    const sink = open();
    const claim = await sink.claim(signal);
    const names = Array.from({ length: 40 }, (_, i) => `list ${i}`);
    const slotOfName = (name: string): number => slotOf(Buffer.from(name));
    // On the first master, the one of the smaller slot first: so it is told of it before the other.
    const [kept, lost, fresh] = names
      .filter((name) => slotOfName(name) > 0 && slotOfName(name) < 5_000)
      .sort((a, b) => slotOfName(a) - slotOfName(b));
    const write = async (element: string, ...keys: string[]): Promise<SinkBatch> => {
      for (const key of keys) source.run('RPUSH', key, element);
      return source.take();
    };
    const first = await write('1', kept, lost);
    expect(await sink.write(first, claim, signal)).toEqual({ kind: 'durable' });
    const loser = await find(lost);
    const before = await dump(loser);
    const second = await write('2', kept, lost, fresh);
    expect(await sink.write(second, claim, signal)).toEqual({ kind: 'durable' });
    // A replica that was promoted had the first part of it, and nothing of what came behind.
    for (const [key, bytes] of before)
      if (key !== kept && key !== slotKey(slotOfName(kept))) await loser.restore(key, 0, bytes, 'REPLACE');
    await loser.del(fresh, slotKey(slotOfName(fresh)));
    const third = await write('3', kept, fresh);
    expect((await sink.write(third, claim, signal)).kind).toBe('unknown');
    const again = await sink.claim(signal);
    expect(again.position).toEqual(first.position);
    expect(await sink.write(second, again, signal)).toEqual({ kind: 'durable' });
    expect(await sink.write(third, again, signal)).toEqual({ kind: 'durable' });
    expect(await loser.lrange(kept, 0, -1)).toEqual(['1', '2', '3']);
    expect(await loser.lrange(lost, 0, -1)).toEqual(['1', '2']);
    expect(await loser.lrange(fresh, 0, -1)).toEqual(['2', '3']);
  });

  it('stops at a key of another type that somebody else keeps, and stays stopped until it is mended', async () => {
    const sink = open();
    const claim = await sink.claim(signal);
    await (await find('theirs')).set('theirs', 'a string');
    source.run('SET', 'ours', '1');
    source.run('HSET', 'theirs', 'f', 'v');
    source.run('HSET', 'theirs', 'g', 'v');
    const batch = await source.take();
    // The first use of a key deletes what may be left of it; a later one does not.
    const slot = slotOf(Buffer.from('theirs'));
    const late = {
      ...batch,
      transactions: batch.transactions.map((one) => ({
        ...one,
        changes: one.changes.filter(({ op }) => op === 'put'),
      })),
    };
    expect(await sink.write(late, claim, signal)).toMatchObject({
      kind: 'fatal',
      error: { code: 'SINK_FAILED' },
    });
    await expect(open().claim(signal)).rejects.toMatchObject({
      code: 'SINK_FAILED',
      message: expect.stringContaining('HSET theirs: WRONGTYPE'),
    });
    expect(await open().check(signal)).toContainEqual({
      name: 'position',
      status: 'fail',
      detail: expect.stringMatching(`failed in slot ${slot}: HSET theirs: WRONGTYPE`),
      remedy: expect.stringContaining(`HDEL ${slotKey(slot)} failed`),
    });
    await (await masterOf(slot)).hdel(slotKey(slot), 'failed');
    // The root's position is before this batch: what succeeded stands, once.
    const again = open();
    const taken = await again.claim(signal);
    expect(taken.position).toBeNull();
    expect(await again.write(late, taken, signal)).toEqual({ kind: 'durable' });
  });

  it('carries a FLUSHALL to every master, and what was written behind it stays', async () => {
    const sink = open();
    const claim = await sink.claim(signal);
    for (let i = 0; i < 50; i++) source.run('SET', `old ${i}`, '1');
    expect(await sink.write(await source.take(), claim, signal)).toEqual({ kind: 'durable' });
    source.run('SET', 'gone', '1');
    source.run('FLUSHDB');
    source.run('SET', 'new', '2');
    const batch = await source.take();
    expect(await sink.write(batch, claim, signal)).toEqual({ kind: 'durable' });
    expect((await stateOf(cluster.ports)).map(([key]) => key)).toEqual(['new']);
    expect((await open().claim(signal)).position).toEqual(batch.position);
  });

  it('clears only the prefix of a namespace', async () => {
    const sink = open({ namespaces: { default: '', other: 'other:*' } });
    const claim = await sink.claim(signal);
    const other = new CommandRunner(source.engine, 'other');
    for (let i = 0; i < 20; i++) {
      source.run('SET', `other:x${i}`, '1');
      other.run('SET', `y${i}`, '1');
    }
    expect(await sink.write(await source.take(), claim, signal)).toEqual({ kind: 'durable' });
    expect(await stateOf(cluster.ports)).toHaveLength(40);
    other.run('FLUSHDB');
    expect(await sink.write(await source.take(), claim, signal)).toEqual({ kind: 'durable' });
    expect((await stateOf(cluster.ports)).map(([key]) => key).every((key) => key.startsWith('other:x'))).toBe(
      true,
    );
    expect(await stateOf(cluster.ports)).toHaveLength(20);
  });

  it('starts anew when its root key was deleted, whatever the slots remember', async () => {
    const sink = open();
    const claim = await sink.claim(signal);
    source.run('SET', 'a', '1');
    const batch = await source.take();
    expect(await sink.write(batch, claim, signal)).toEqual({ kind: 'durable' });
    await (await find(root)).del(root);
    await (await find('a')).del('a');
    const again = open();
    const taken = await again.claim(signal);
    expect(taken.position).toBeNull();
    expect(taken.epoch).toBeGreaterThan(claim.epoch);
    expect(await again.write(batch, taken, signal)).toEqual({ kind: 'durable' });
    expect(await (await find('a')).get('a')).toBe('1');
  });

  it.each(['the master of its root key', 'another master', 'all masters'])(
    'begins anew when %s is flushed under way',
    async (which) => {
      const withRoot = await find(root);
      const isFlushed = (node: Redis): boolean =>
        which === 'all masters' || (node === withRoot) === (which === 'the master of its root key');
      const keys = Array.from({ length: 12 }, (_, i) => `list ${i}`);
      const sink = open();
      let claim = await sink.claim(signal);
      for (const key of keys) source.run('RPUSH', key, '1');
      const first = await source.take();
      expect(await sink.write(first, claim, signal)).toEqual({ kind: 'durable' });
      for (const node of cluster.nodes) if (isFlushed(node)) await node.flushall();
      // In slots that were not used yet, of which the root key is told first; and in others.
      for (const key of keys) source.run('RPUSH', key, '2');
      for (const key of keys) source.run('SET', `new ${key}`, '2');
      const second = await source.take();
      expect((await sink.write(second, claim, signal)).kind).toBe('unknown');
      claim = await sink.claim(signal);
      expect(claim.position).toBeNull();
      expect(await sink.write(first, claim, signal)).toEqual({ kind: 'durable' });
      expect(await sink.write(second, claim, signal)).toEqual({ kind: 'durable' });
      for (const key of keys) {
        expect(await (await find(key)).lrange(key, 0, -1)).toEqual(['1', '2']);
        expect(await (await find(`new ${key}`)).get(`new ${key}`)).toBe('2');
      }
    },
  );

  it('begins anew when only its root key is gone under way', async () => {
    const sink = open();
    const claim = await sink.claim(signal);
    source.run('SET', 'a', '1');
    await (await find(root)).del(root);
    expect(await sink.write(await source.take(), claim, signal)).toMatchObject({
      kind: 'unknown',
      error: { message: expect.stringContaining('flushed') },
    });
    expect((await sink.claim(signal)).position).toBeNull();
  });

  it('needs no more rights than its page says, and is refused at once without one of them', async () => {
    const rights = 'evalsha script|load cluster|slots time hget hmget hgetall hset hsetnx del set rpush';
    const allow = async (user: string, ...more: string[]): Promise<string> => {
      const allowed = rights.split(' ').map((right) => `+${right}`);
      for (const node of cluster.nodes)
        await node.acl('SETUSER', user, 'on', '>pw', '~*', ...allowed, ...more);
      return `redis://${user}:pw@127.0.0.1:${cluster.ports[0]}`;
    };
    try {
      const sink = open({ urls: [await allow('enough')] });
      const claim = await sink.claim(signal);
      for (let at = 0; at < 20; at++) source.run('SET', `k${at}`, at);
      source.run('RPUSH', 'l', 'a');
      expect(await sink.write(await source.take(), claim, signal)).toEqual({ kind: 'durable' });
      expect(await (await find('l')).lrange('l', 0, -1)).toEqual(['a']);
      const hushed = open({ urls: [await allow('hushed', '-rpush')] });
      const held = await hushed.claim(signal);
      source.run('RPUSH', 'l', 'b');
      const refused = await source.take();
      expect(await hushed.write(refused, held, signal)).toMatchObject({
        kind: 'fatal',
        error: { code: 'SINK_REFUSED', message: expect.stringContaining('may not run RPUSH on l') },
      });
      // Nothing of the slot was written, so that nothing is to be mended but the rights.
      await allow('hushed');
      expect(await hushed.write(refused, await hushed.claim(signal), signal)).toEqual({ kind: 'durable' });
      expect(await (await find('l')).lrange('l', 0, -1)).toEqual(['a', 'b']);
      const less = open({ urls: [await allow('less', '-hset')] });
      await expect(less.claim(signal)).rejects.toMatchObject({ code: 'SINK_REFUSED' });
    } finally {
      for (const node of cluster.nodes) await node.acl('DELUSER', 'enough', 'hushed', 'less');
    }
  });

  it('asks another node when the first it is told has left the cluster', async () => {
    const left = await startRedis(['--cluster-enabled', 'yes']);
    try {
      const sink = open({ urls: [left.url, `redis://127.0.0.1:${cluster.ports[1]}`] });
      await expect(sink.claim(signal)).rejects.toMatchObject({
        code: 'SINK_UNREACHABLE',
        message: expect.stringContaining('no master has slot'),
      });
      expect(await sink.claim(signal)).toMatchObject({ position: null });
    } finally {
      await left.stop();
    }
  });

  it('speaks to a node with a name by that name, and to others by that of the first', () => {
    const first = parseRedisUrl('rediss://ada:pw@first.example:7000/0');
    const tlsOf = (host: string): unknown => {
      const { tls, ...address } = addressOf(first, host, 7001);
      expect(address).toEqual({ host, port: 7001, username: 'ada', password: 'pw' });
      return typeof tls === 'function' && tls();
    };
    expect(tlsOf('second.example')).toEqual({ servername: 'second.example' });
    expect(tlsOf('10.0.0.2')).toEqual({ servername: 'first.example' });
  });

  it('is refused by a Redis that is no cluster', async () => {
    await expect(open({ urls: [calm.url] }).claim(signal)).rejects.toMatchObject({ code: 'SINK_REFUSED' });
  });

  it('survives the loss of its connections and of the scripts', async () => {
    const sink = open();
    let claim = await sink.claim(signal);
    source.run('RPUSH', 'l', '1');
    expect(await sink.write(await source.take(), claim, signal)).toEqual({ kind: 'durable' });
    for (const node of cluster.nodes) await node.script('FLUSH');
    source.run('RPUSH', 'l', '2');
    const batch = await source.take();
    expect((await sink.write(batch, claim, signal)).kind).toBe('unknown');
    claim = await sink.claim(signal);
    expect(await sink.write(batch, claim, signal)).toEqual({ kind: 'durable' });
    for (const node of cluster.nodes) await node.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
    source.run('RPUSH', 'l', '3');
    const last = await source.take();
    const { kind } = await sink.write(last, claim, signal);
    if (kind !== 'durable') {
      expect(kind).toBe('unknown');
      claim = await sink.claim(signal);
      expect(await sink.write(last, claim, signal)).toEqual({ kind: 'durable' });
    }
    expect(await (await find('l')).lrange('l', 0, -1)).toEqual(['1', '2', '3']);
  });
});
