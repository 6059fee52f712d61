import { readdirSync, truncateSync } from 'node:fs';
import { dirname } from 'node:path';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { TailraceProcess } from '../crash/tailrace-process.js';
import { MigrationEnds } from '../support/migration-ends.js';
import { TcpProxy } from '../support/tcp-proxy.js';
import { waitUntil } from '../support/wait-until.js';

const keys = 900;
const value = Buffer.alloc(20_000, 'v');
/** Of two MiB, as parts are made by default. */
const keysInPart = Math.ceil((2 * 1024 * 1024) / value.length);

let ends: MigrationEnds;
let other: MigrationEnds;
let orders: Redis;
beforeAll(async () => {
  [ends, other] = await Promise.all([
    MigrationEnds.open('read-once', 'secret'),
    MigrationEnds.open('read-once-other', 'secret'),
  ]);
  await ends.source.call('NAMESPACE', 'ADD', 'orders', 'token-o');
  orders = new Redis(ends.server.port, { password: 'token-o' });
});
afterAll(async () => {
  orders.disconnect();
  await ends[Symbol.asyncDispose]();
  await other[Symbol.asyncDispose]();
});
beforeEach(async () => {
  await ends.reset();
  await ends.source.flushall();
  await other.source.flushall();
});

const fill = (client: Redis, count: number): Promise<unknown> =>
  Promise.all(
    Array.from({ length: count }, (_, at) =>
      at % 3 === 0 ? client.rpush(`key:${1000 + at}`, value, `${at}`) : client.set(`key:${1000 + at}`, value),
    ),
  );

/** Lists that a migration with a stalled target has read, or has yet to read, and one that there was not. */
const changed = ['key:1003', 'key:1300', 'key:1303', 'key:1600', 'key:1897', 'key:1500:new'];
const change = (client: Redis, by: string): Promise<unknown> =>
  Promise.all(changed.map((key) => client.rpush(key, by)));

const lists = (client: Redis, prefix = ''): Promise<string[][]> =>
  Promise.all(changed.map((key) => client.lrange(`${prefix}${key}`, 0, -1)));

/** Runs a migration by a target that stalls, kills it when it has read what it can, and so again; then lets it end. */
const migrateWithKills = async (
  target: string,
  words: readonly string[],
  counted: string,
  meanwhile: (kill: number) => Promise<unknown>,
): Promise<{ readonly kills: number; readonly served: number }> => {
  const { hostname, port, password } = new URL(target);
  await using proxy = await TcpProxy.open(Number(port));
  const to = `redis://${password === '' ? '' : `:${password}@`}${hostname}:${proxy.port}`;
  const migrator = new TailraceProcess(
    [...ends.words(ends.sourceUrl, to, 'migrate'), ...words],
    ends.directory,
  );
  const before = await ends.callsOf(counted);
  for (const sent of [4_000_000, 5_000_000]) {
    proxy.stallAfter(sent);
    migrator.start();
    await waitUntil('the target is stalled', () => {
      if (migrator.failure !== undefined) throw new Error(migrator.failure);
      return proxy.isStalled;
    });
    // As far ahead as it reads.
    let read = 0;
    let looks = 0;
    await waitUntil('nothing more is read', async () => {
      const now = await ends.callsOf(counted);
      looks = now === read ? looks + 1 : 0;
      read = now;
      return looks > 20;
    });
    await migrator.kill();
    proxy.cut();
    proxy.resume();
    await meanwhile(sent);
  }
  migrator.start();
  await migrator.ended();
  expect(migrator.exitCode, migrator.said).toBe(0);
  return { kills: 2, served: (await ends.callsOf(counted)) - before };
};

const keptFiles = (): readonly string[] =>
  readdirSync(dirname(ends.stateFile)).filter((name) => name.includes('.read-'));

describe('a migrator that is killed again and again', () => {
  it('reads no more than one part twice for each kill, by records', async () => {
    await fill(ends.source, keys);
    const { kills, served } = await migrateWithKills(ends.redis.url, [], 'records', (kill) =>
      change(ends.source, `${kill}`),
    );
    // Each start asks once whether there is RECORDS.
    const parts = Math.ceil(keys / keysInPart) + 1;
    expect(served).toBeLessThanOrEqual(parts + (1 + kills) + kills);
    expect(await lists(ends.target)).toEqual(await lists(ends.source));
    expect(await ends.target.dbsize()).toBe((await ends.source.dbsize()) + 1);
    expect(keptFiles()).toEqual([]);
  });

  it('reads no more than one part twice for each kill, by the commands of each type', async () => {
    await fill(ends.source, keys);
    const { kills, served } = await migrateWithKills(ends.redis.url, ['--no-records'], 'type', (kill) =>
      change(ends.source, `${kill}`),
    );
    expect(served).toBeLessThanOrEqual(keys + kills * keysInPart + 2 * kills * changed.length);
    expect(await lists(ends.target)).toEqual(await lists(ends.source));
    expect(await ends.target.dbsize()).toBe((await ends.source.dbsize()) + 1);
    expect(keptFiles()).toEqual([]);
  });

  it('reads no more than one part twice for each kill, of several namespaces', async () => {
    await fill(ends.source, keys / 2);
    await fill(orders, keys / 2);
    const words = ['--no-records', '--all-namespaces'];
    const { kills, served } = await migrateWithKills(ends.redis.url, words, 'type', async (kill) => {
      await change(ends.source, `${kill}`);
      await change(orders, `orders ${kill}`);
    });
    expect(served).toBeLessThanOrEqual(keys + kills * keysInPart + 4 * kills * changed.length);
    expect(await lists(ends.target)).toEqual(await lists(ends.source));
    expect(await lists(ends.target, 'orders:')).toEqual(await lists(orders));
    expect(await ends.target.dbsize()).toBe((await ends.source.dbsize()) + (await orders.dbsize()) + 1);
    await orders.flushdb();
  });

  it('reads no more than one part twice for each kill, by records as they are, for another store', async () => {
    await fill(ends.source, keys);
    const { kills, served } = await migrateWithKills(other.sourceUrl, [], 'records', (kill) =>
      change(ends.source, `${kill}`),
    );
    const parts = Math.ceil((keys * value.length) / (1024 * 1024)) + 1;
    expect(served).toBeLessThanOrEqual(parts + (1 + kills) + kills);
    expect(await lists(other.source)).toEqual(await lists(ends.source));
    expect(await other.source.dbsize()).toBe((await ends.source.dbsize()) + 1);
    expect(keptFiles()).toEqual([]);
  });

  it('goes on without what was kept, where that is damaged', async () => {
    await fill(ends.source, keys);
    await migrateWithKills(ends.redis.url, [], 'records', async () => {
      for (const name of keptFiles()) truncateSync(`${dirname(ends.stateFile)}/${name}`, 1_000_000);
    });
    expect(await lists(ends.target)).toEqual(await lists(ends.source));
    expect(await ends.target.dbsize()).toBe(keys + 1);
  });
});
