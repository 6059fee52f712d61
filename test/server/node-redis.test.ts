import { createClient, WatchError } from 'redis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { useServer } from '../support/use-server.js';
import { waitUntil } from '../support/wait-until.js';

describe.each([2, 3] as const)('node-redis in RESP%i', (RESP) => {
  const served = useServer('node-redis', { engine: { sync: 'none' }, server: { password: 'secret' } });
  const connect = async () => {
    const client = createClient({ url: `redis://:secret@127.0.0.1:${served.server.port}`, RESP });
    await client.connect();
    return client;
  };
  let client: Awaited<ReturnType<typeof connect>>;

  beforeAll(async () => {
    client = await connect();
  });
  afterAll(() => client.close());

  it('reads and writes every common type', async () => {
    expect(await client.set('s', 'v', { expiration: { type: 'EX', value: 100 } })).toBe('OK');
    expect([await client.get('s'), await client.get('none')]).toEqual(['v', null]);
    expect(await client.ttl('s')).toBeGreaterThan(90);
    expect(await client.hSet('h', { a: '1', b: '2' })).toBe(2);
    expect({ ...(await client.hGetAll('h')) }).toEqual({ a: '1', b: '2' });
    await client.rPush('l', ['1', '2', '3']);
    expect(await client.lRange('l', 0, -1)).toEqual(['1', '2', '3']);
    await client.sAdd('set', ['x', 'y']);
    expect([...(await client.sMembers('set'))].sort()).toEqual(['x', 'y']);
    await client.zAdd('z', [
      { score: 1.5, value: 'a' },
      { score: Number.POSITIVE_INFINITY, value: 'b' },
    ]);
    expect(await client.zRangeWithScores('z', 0, -1)).toEqual([
      { value: 'a', score: 1.5 },
      { value: 'b', score: Number.POSITIVE_INFINITY },
    ]);
    const id = await client.xAdd('stream', '*', { f: 'v' });
    expect(await client.xRange('stream', '-', '+')).toMatchObject([{ id, message: { f: 'v' } }]);
    await client.json.set('doc', '$', { a: [1, 2] });
    expect(await client.json.get('doc', { path: '$.a' })).toEqual([[1, 2]]);
  });

  it('is told numbers, types and truth as by the modules of Redis, whatever the protocol', async () => {
    await client.json.set('typed', '$', { half: 0.5, n: 1, s: 'x' });
    expect(await client.json.type('typed', { path: '$.*' })).toEqual(['number', 'integer', 'string']);
    expect(await client.json.type('none')).toBeNull();
    expect(await client.json.numIncrBy('typed', '$.*', 2)).toEqual([2.5, 3, null]);
    expect(await client.json.numMultBy('typed', '$.n', 2)).toEqual([6]);
    expect(await client.bf.add('bloom', 'a')).toBe(true);
    expect(await client.bf.mAdd('bloom', ['a', 'b'])).toEqual([false, true]);
    expect(await client.bf.exists('bloom', 'c')).toBe(false);
    expect(await client.bf.mExists('bloom', ['a', 'c'])).toEqual([true, false]);
    expect(await client.role()).toMatchObject({ role: 'master', replicas: [] });
  });

  it('scans, multiplies, and watches', async () => {
    await client.mSet(Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`scan:${i}`, 'v'])));
    const found = new Set<string>();
    for await (const keys of client.scanIterator({ MATCH: 'scan:*', COUNT: 50 }))
      for (const key of keys) found.add(key);
    expect(found.size).toBe(300);
    expect(await client.multi().incr('n').get('n').exec()).toEqual([1, '1']);
    const other = await connect();
    await other.watch('n');
    await client.incr('n');
    await expect(other.multi().incr('n').exec()).rejects.toBeInstanceOf(WatchError);
    await other.close();
  });

  it('subscribes and waits', async () => {
    const [subscriber, waiter] = [await connect(), await connect()];
    const heard: string[] = [];
    await subscriber.subscribe('news', (message, channel) => heard.push(`${channel}:${message}`));
    await subscriber.pSubscribe('ne*', (message, channel) => heard.push(`${channel}:${message}!`));
    expect(await client.publish('news', 'hello')).toBe(2);
    await waitUntil('both have heard', () => heard.length === 2);
    expect(heard).toEqual(['news:hello', 'news:hello!']);
    await subscriber.unsubscribe('news');
    await subscriber.close();
    const waiting = waiter.blPop('queue', 0);
    await client.rPush('queue', 'job');
    expect(await waiting).toEqual({ key: 'queue', element: 'job' });
    await waiter.close();
  });
});
