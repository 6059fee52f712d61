import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { MigrationEnds, reportIn } from '../support/migration-ends.js';

let ends: MigrationEnds;
beforeAll(async () => {
  ends = await MigrationEnds.open('verify-elements');
});
afterAll(() => ends[Symbol.asyncDispose]());
beforeEach(async () => {
  await ends.reset();
  await ends.source.flushall();
});

/** More than one command asks for at once. */
const many = Array.from({ length: 2_500 }, (_, at) => `element ${at}`);

const fill = async (client: MigrationEnds['source']): Promise<void> => {
  await client.hset('hash', 'field', '', '', 'of the empty field');
  await client.hset('large hash', ...many.flatMap((name) => [name, name.repeat(3)]));
  await client.sadd('set', 'a', '', 'c');
  await client.sadd('large set', ...many);
  await client.zadd('zset', 1.5, 'a', 'inf', 'b', '-inf', 'c', 0, 'd');
  await client.zadd('large zset', ...many.flatMap((name, at) => [String(at / 3), name]));
  await client.rpush('list', 'a', 'b', 'a', '');
  await client.rpush('large list', ...many);
  await client.set('string', 'x');
  for (const name of ['expiring hash', 'expiring set', 'expiring list']) {
    if (name === 'expiring hash') await client.hset(name, 'f', 'v');
    else if (name === 'expiring set') await client.sadd(name, 'm');
    else await client.rpush(name, 'e');
    await client.pexpireat(name, 4_000_000_000_000);
  }
};

const verify = (...words: readonly string[]) => ends.run('verify', '--settle', '100', '--json', ...words);

it('finds nothing to tell where every element is the same, whatever order a server keeps them in', async () => {
  await fill(ends.source);
  await fill(ends.target);
  const same = await verify();
  expect(same.status, same.stdout + same.stderr).toBe(0);
  expect(reportIn(same.stdout)).toMatchObject({ sourceKeys: 12, differences: 0 });
});

it('finds the one element that differs, is missing, or is too many, in every type', async () => {
  await fill(ends.source);
  const changes: readonly (readonly [string, string, () => Promise<unknown>])[] = [
    ['hash', 'value', () => ends.target.hset('hash', 'field', 'x')],
    ['large hash', 'value', () => ends.target.hset('large hash', many[2_499], 'x')],
    ['hash', 'value', () => ends.target.hset('hash', 'more', 'x')],
    ['large hash', 'value', () => ends.target.hdel('large hash', many[1_000])],
    ['set', 'value', () => ends.target.srem('set', '')],
    ['large set', 'value', () => ends.target.srem('large set', many[2_499])],
    ['set', 'value', () => ends.target.smove('set', 'elsewhere', 'a')],
    ['zset', 'value', () => ends.target.zadd('zset', 1.25, 'a')],
    ['large zset', 'value', () => ends.target.zadd('large zset', 7, many[2_499])],
    ['list', 'value', () => ends.target.lset('list', 3, 'x')],
    ['large list', 'value', () => ends.target.lset('large list', 2_499, 'x')],
    ['list', 'value', () => ends.target.rpush('list', '')],
    ['string', 'value', () => ends.target.append('string', 'x')],
    ['large list', 'missing', () => ends.target.del('large list')],
    ['large list', 'type', () => ends.target.set('large list', 'x')],
    ['expiring hash', 'expiry', () => ends.target.persist('expiring hash')],
    ['expiring set', 'expiry', () => ends.target.pexpireat('expiring set', 4_000_000_002_000)],
    ['list', 'expiry', () => ends.target.pexpireat('list', 4_000_000_000_000)],
  ];
  await fill(ends.target);
  for (const [, , change] of changes) await change();
  const different = await verify();
  expect(different.status).toBe(3);
  // Several may befall one key: the last of each counts here, but an expiry only where the value is the same.
  const expected = new Map(
    changes.filter(([key, kind]) => !(key === 'list' && kind === 'expiry')).map(([key, kind]) => [key, kind]),
  );
  expected.set('elsewhere', 'extra');
  const named = reportIn(different.stdout).named.map(({ key, kind }): [string, string] => [key, kind]);
  expect(new Map(named)).toEqual(expected);

  const repaired = await verify('--repair');
  expect(reportIn(repaired.stdout)).toMatchObject({ differences: expected.size, repaired: expected.size });
  const same = await verify();
  expect(same.status, same.stdout).toBe(0);
});
