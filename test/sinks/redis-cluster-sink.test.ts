import { Redis } from 'ioredis';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { slotOf, tagOfSlot } from '../../sinks/redis/cluster/hash-slot.js';
import { RedisClusterSink, type RedisClusterSinkOptions, RedisSink } from '../../sinks/redis/index.js';
import { parseRedisUrl, RespConnection } from '../../src/kit/index.js';
import {
  type RedisClusterService,
  type RedisService,
  startRedis,
  startRedisCluster,
} from '../services/index.js';
import { CommandRunner } from '../support/command-runner.js';
import { pluginContext } from '../support/plugin-context.js';
import { type RedisKeyState, readRedisState } from '../support/redis-state.js';
import { SeededRandom } from '../support/seeded-random.js';
import { SinkBatches } from '../support/sink-batches.js';
import { TestSource } from '../support/test-source.js';

const root = 'tailrace:orders:position';
const signal = new AbortController().signal;
const slotKey = (slot: number): string => `${root}:{${tagOfSlot(slot)}}`;
const isOwn = (key: string): boolean => key.startsWith('tailrace:');

describe('the slots of a cluster', () => {
  it('are those that Redis computes, tags in braces included', () => {
    expect(slotOf(Buffer.from('123456789'))).toBe(0x31c3);
    expect(slotOf(Buffer.from('foo'))).toBe(12_182);
    expect(slotOf(Buffer.from('{user1000}.following'))).toBe(slotOf(Buffer.from('user1000')));
    expect(slotOf(Buffer.from('foo{}{bar}'))).toBe(slotOf(Buffer.from('foo{}{bar}')));
    expect(slotOf(Buffer.from('foo{{bar}}zap'))).toBe(slotOf(Buffer.from('{bar')));
  });

  it('each have a tag, which never changes', () => {
    for (let slot = 0; slot < 16_384; slot += 97)
      expect(slotOf(Buffer.from(`a{${tagOfSlot(slot)}}`))).toBe(slot);
    expect([0, 1, 8191, 16_383].map(tagOfSlot)).toMatchInlineSnapshot(`
      [
        "1bz",
        "emj",
        "7ho",
        "hia",
      ]
    `);
  });
});

describe('the redis sink of a cluster', () => {
  const source = new TestSource();
  let service: RedisClusterService;
  let nodes: Redis[];
  let calm: RedisService;

  beforeAll(async () => {
    service = await startRedisCluster();
    nodes = service.ports.map((port) => new Redis(port));
    calm = await startRedis();
  });
  afterAll(async () => {
    for (const node of nodes) node.disconnect();
    await service.stop();
    await calm.stop();
  });
  beforeEach(async () => {
    for (const node of nodes) await node.flushall();
  });

  const open = (options: Partial<RedisClusterSinkOptions> = {}): RedisClusterSink => {
    return source.own(
      new RedisClusterSink(
        {
          urls: [`redis://127.0.0.1:${service.ports[0]}`],
          password: '',
          positionKey: 'tailrace:{pipeline}:position',
          namespaces: { default: '' },
          ...options,
        },
        pluginContext(),
      ),
    );
  };

  const stateOf = async (ports: readonly number[]): Promise<[string, RedisKeyState][]> => {
    const all: [string, RedisKeyState][] = [];
    for (const port of ports) {
      const connection = await RespConnection.open(parseRedisUrl(`redis://127.0.0.1:${port}`));
      all.push(...(await readRedisState(connection)));
      connection.close();
    }
    return all.filter(([key]) => !isOwn(key)).sort(([a], [b]) => (a < b ? -1 : 1));
  };

  /** The master that has a slot. */
  const masterOf = async (slot: number): Promise<Redis> => {
    for (const [first, last, [, port]] of (await nodes[0].call('CLUSTER', 'SLOTS')) as [
      number,
      number,
      [string, number],
    ][])
      if (slot >= first && slot <= last) return nodes[service.ports.indexOf(port)];
    throw new Error(`nobody has slot ${slot}`);
  };

  /** Tells two masters that a slot goes from one to the other; returns the id of the one that gets it. */
  const beginMove = async (slot: number, from: Redis, to: Redis): Promise<string> => {
    const [fromId, toId] = [await from.cluster('MYID'), await to.cluster('MYID')].map(String);
    await to.cluster('SETSLOT', slot, 'IMPORTING', fromId);
    await from.cluster('SETSLOT', slot, 'MIGRATING', toId);
    return toId;
  };

  const find = async (key: string): Promise<Redis> => masterOf(slotOf(Buffer.from(key)));

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
    expect(await stateOf(service.ports)).toEqual(await stateOf([calm.port]));
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

  it('waits for a slot that is being moved, and follows it', async () => {
    const sink = open();
    const claim = await sink.claim(signal);
    source.run('RPUSH', 'moving', '1');
    expect(await sink.write(await source.take(), claim, signal)).toEqual({ kind: 'durable' });
    const slot = slotOf(Buffer.from('moving'));
    const from = await masterOf(slot);
    const to = nodes.find((node) => node !== from) ?? from;
    const toId = await beginMove(slot, from, to);
    const port = service.ports[nodes.indexOf(to)] ?? 0;
    await from.migrate('127.0.0.1', port, 'moving', 0, 1000);
    source.run('RPUSH', 'moving', '2');
    source.run('RPUSH', 'staying', '2');
    const batch = await source.take();
    const refused = await sink.write(batch, claim, signal);
    expect(refused).toMatchObject({
      kind: 'retryable',
      error: { message: expect.stringMatching(/^(ASK|TRYAGAIN)/) },
    });
    expect(await (await find('staying')).llen('staying')).toBe(1);
    await from.migrate('127.0.0.1', port, slotKey(slot), 0, 1000);
    for (const node of nodes) await node.cluster('SETSLOT', slot, 'NODE', toId);
    expect(await sink.write(batch, claim, signal)).toEqual({ kind: 'durable' });
    expect(await to.lrange('moving', 0, -1)).toEqual(['1', '2']);
    expect(await (await find('staying')).llen('staying')).toBe(1);
    source.run('RPUSH', 'moving', '3');
    expect(await sink.write(await source.take(), claim, signal)).toEqual({ kind: 'durable' });
    expect(await to.lrange('moving', 0, -1)).toEqual(['1', '2', '3']);
  });

  it('takes a slot that moves while it is used for the first time for no slot that was flushed', async () => {
    const sink = open();
    const claim = await sink.claim(signal);
    source.run('SET', 'first', '1');
    const slot = slotOf(Buffer.from('first'));
    const from = await masterOf(slot);
    const [to] = nodes.filter((node) => node !== from);
    const toId = await beginMove(slot, from, to);
    const batch = await source.take();
    const refused = await sink.write(batch, claim, signal);
    expect(refused).toMatchObject({ kind: 'retryable', error: { message: expect.stringMatching(/^ASK/) } });
    for (const node of nodes) await node.cluster('SETSLOT', slot, 'NODE', toId);
    expect(await sink.write(batch, claim, signal)).toEqual({ kind: 'durable' });
    expect(await to.get('first')).toBe('1');
  });

  it('tries a claim again that meets a slot of which the nodes do not agree yet where it is', async () => {
    const sink = open();
    const claim = await sink.claim(signal);
    const slot = 100;
    // Not the node that is asked who has which slot.
    const holders = nodes.slice(1);
    const ids = await Promise.all(nodes.map(async (node) => String(await node.cluster('MYID'))));
    for (const node of nodes) await node.cluster('SETSLOT', slot, 'NODE', ids[1]);
    source.run('SET', `{${tagOfSlot(slot)}}`, '1');
    const batch = await source.take();
    while ((await sink.write(batch, claim, signal)).kind === 'retryable');
    const port = service.ports[2];
    for (const key of await nodes[1].keys(`*{${tagOfSlot(slot)}}`)) {
      await nodes[2].cluster('SETSLOT', slot, 'IMPORTING', ids[1]);
      await nodes[1].cluster('SETSLOT', slot, 'MIGRATING', ids[2]);
      await nodes[1].migrate('127.0.0.1', port, key, 0, 1000);
    }
    for (const node of holders.reverse()) await node.cluster('SETSLOT', slot, 'NODE', ids[2]);
    const codes: string[] = [];
    const next = open();
    for (;;) {
      const found = await next.claim(signal).catch((error: { code: string }) => error);
      if ('epoch' in found) break;
      codes.push(found.code);
    }
    expect(new Set([...codes, 'SINK_UNREACHABLE'])).toEqual(new Set(['SINK_UNREACHABLE']));
  });

  it('claims a slot that is on its way when it has arrived', async () => {
    const sink = open();
    source.run('SET', 'on its way', '1');
    const batch = await source.take();
    expect(await sink.write(batch, await sink.claim(signal), signal)).toEqual({ kind: 'durable' });
    const slot = slotOf(Buffer.from('on its way'));
    const from = await masterOf(slot);
    const [to] = nodes.filter((node) => node !== from);
    const toId = await beginMove(slot, from, to);
    for (const key of await from.cluster('GETKEYSINSLOT', slot, 10))
      await from.migrate('127.0.0.1', service.ports[nodes.indexOf(to)], String(key), 0, 1000);
    const claiming = open().claim(signal);
    await new Promise((resolve) => setTimeout(resolve, 200));
    for (const node of nodes) await node.cluster('SETSLOT', slot, 'NODE', toId);
    expect(await claiming).toMatchObject({ position: batch.position });
  });

  it('stays where it is when the slots that a master was written in last have moved to another', async () => {
    const sink = open();
    const claim = await sink.claim(signal);
    for (let i = 0; i < 50; i++) source.run('SET', `old ${i}`, '1');
    expect(await sink.write(await source.take(), claim, signal)).toEqual({ kind: 'durable' });
    source.run('SET', 'new', '1');
    const last = await source.take();
    expect(await sink.write(last, claim, signal)).toEqual({ kind: 'durable' });
    const ids = await Promise.all(nodes.map(async (node) => String(await node.cluster('MYID'))));
    const slots = (await nodes[0].call('CLUSTER', 'SLOTS')) as [number, number, [string, number]][];
    for (const from of nodes.slice(1)) {
      const at = nodes.indexOf(from);
      const slot = slots.find(([, , [, port]]) => port === service.ports[at])?.[0] ?? 0;
      await nodes[0].cluster('SETSLOT', slot, 'IMPORTING', ids[at]);
      await from.cluster('SETSLOT', slot, 'MIGRATING', ids[0]);
      for (const key of await from.cluster('GETKEYSINSLOT', slot, 10))
        await from.migrate('127.0.0.1', service.ports[0], String(key), 0, 1000);
      for (const node of nodes) await node.cluster('SETSLOT', slot, 'NODE', ids[0]);
    }
    expect(await open().claim(signal)).toMatchObject({ position: last.position });
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
    expect((await stateOf(service.ports)).map(([key]) => key)).toEqual(['new']);
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
    expect(await stateOf(service.ports)).toHaveLength(40);
    other.run('FLUSHDB');
    expect(await sink.write(await source.take(), claim, signal)).toEqual({ kind: 'durable' });
    expect((await stateOf(service.ports)).map(([key]) => key).every((key) => key.startsWith('other:x'))).toBe(
      true,
    );
    expect(await stateOf(service.ports)).toHaveLength(20);
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
      for (const node of nodes) if (isFlushed(node)) await node.flushall();
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
      for (const node of nodes) await node.acl('SETUSER', user, 'on', '>pw', '~*', ...allowed, ...more);
      return `redis://${user}:pw@127.0.0.1:${service.ports[0]}`;
    };
    try {
      const sink = open({ urls: [await allow('enough')] });
      const claim = await sink.claim(signal);
      for (let at = 0; at < 20; at++) source.run('SET', `k${at}`, at);
      source.run('RPUSH', 'l', 'a');
      expect(await sink.write(await source.take(), claim, signal)).toEqual({ kind: 'durable' });
      expect(await (await find('l')).lrange('l', 0, -1)).toEqual(['a']);
      const less = open({ urls: [await allow('less', '-hset')] });
      await expect(less.claim(signal)).rejects.toMatchObject({ code: 'SINK_REFUSED' });
    } finally {
      for (const node of nodes) await node.acl('DELUSER', 'enough', 'less');
    }
  });

  it('is refused by a Redis that is no cluster', async () => {
    await expect(open({ urls: [calm.url] }).claim(signal)).rejects.toMatchObject({ code: 'SINK_REFUSED' });
  });

  it('survives the loss of its connections and of the scripts', async () => {
    const sink = open();
    let claim = await sink.claim(signal);
    source.run('RPUSH', 'l', '1');
    expect(await sink.write(await source.take(), claim, signal)).toEqual({ kind: 'durable' });
    for (const node of nodes) await node.script('FLUSH');
    source.run('RPUSH', 'l', '2');
    const batch = await source.take();
    expect((await sink.write(batch, claim, signal)).kind).toBe('unknown');
    claim = await sink.claim(signal);
    expect(await sink.write(batch, claim, signal)).toEqual({ kind: 'durable' });
    for (const node of nodes) await node.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
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
