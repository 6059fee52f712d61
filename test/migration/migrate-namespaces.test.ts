import { join } from 'node:path';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { Engine } from '../../src/engine/index.js';
import { Server } from '../../src/server/index.js';
import { type RedisService, startRedis, throwAwayDirectory } from '../services/index.js';
import type { ProgramResult } from '../support/run-program.js';
import { runTailrace } from '../support/tailrace-program.js';

const directory = throwAwayDirectory('migrate-namespaces');
let service: RedisService;
let engine: Engine;
let server: Server;
let admin: Redis;
const byNamespace = new Map<string, Redis>();
let target: Redis;
beforeAll(async () => {
  service = await startRedis();
  target = new Redis(service.port);
  engine = await Engine.open(join(directory.path, 'store'), { sync: 'none' });
  server = await Server.listen(engine, { port: 0, password: 'secret' });
  admin = new Redis(server.port, { password: 'secret' });
  await admin.call('NAMESPACE', 'ADD', 'orders', 'token-o');
  await admin.call('NAMESPACE', 'ADD', 'carts', 'token-c');
  byNamespace.set('orders', new Redis(server.port, { password: 'token-o' }));
  byNamespace.set('carts', new Redis(server.port, { password: 'token-c' }));
  await admin.set('here', 'default');
  for (const [ns, client] of byNamespace) {
    await client.set('name', ns);
    await client.set('', 'an empty name');
    for (let at = 0; at < 200; at++) await client.rpush(`list:${at}`, ns, `${at}`);
  }
});
afterAll(async () => {
  admin.disconnect();
  for (const client of byNamespace.values()) client.disconnect();
  target.disconnect();
  await server.close();
  await engine.close();
  await service.stop();
  directory.remove();
});
beforeEach(async () => {
  await target.flushall();
});

const run = (command: string, name: string, ...words: string[]): Promise<ProgramResult> =>
  runTailrace(
    ...[command, '--from', `redis://:secret@127.0.0.1:${server.port}`, '--to', service.url],
    ...['--name', name],
    ...(command === 'verify' ? [] : ['--state', join(directory.path, `${name}.json`)]),
    ...words,
  );

describe.each([
  ['by the records of a tailrace', []],
  ['by commands and the token of each, as from a Kvrocks', ['--no-records']],
])('migrating namespaces %s', (how, words) => {
  const suffix = words.length === 0 ? 'records' : 'commands';

  it('copies all of them, behind their names', async () => {
    const done = await run('migrate', `all-${suffix}`, '--all-namespaces', '--verify', ...words);
    expect(done.status, done.stderr).toBe(0);
    expect(done.stdout).toContain('the same: 0 differences');
    expect(await target.mget('here', 'orders:name', 'carts:name', 'orders:')).toEqual([
      'default',
      'orders',
      'carts',
      'an empty name',
    ]);
    expect(await target.lrange('orders:list:7', 0, -1)).toEqual(['orders', '7']);
    expect(await target.dbsize()).toBe(1 + 2 * 202 + 1);
    await target.del('carts:name');
    await target.set('orders:extra', 'x');
    const different = await run('verify', `all-${suffix}`, '--all-namespaces', '--settle', '100', ...words);
    expect(different.status).toBe(3);
    expect(different.stdout).toMatch(/missing\s+carts\s+"name"/);
    expect(different.stdout).toMatch(/extra\s+orders\s+"extra"/);
  });

  it('copies those that are named, to databases of their own', async () => {
    const named = ['--database', 'carts=3', '--namespace', 'orders=o/'];
    const done = await run('migrate', `named-${suffix}`, ...named, '--verify', ...words);
    expect(done.status, done.stderr).toBe(0);
    expect(done.stdout.match(/the same: 0 differences/g)).toHaveLength(2);
    expect(await target.get('o/name')).toBe('orders');
    expect(await target.exists('here')).toBe(0);
    const carts = new Redis(service.port, { db: 3 });
    expect(await carts.lrange('list:5', 0, -1)).toEqual(['carts', '5']);
    expect(await carts.dbsize()).toBe(202);
    carts.disconnect();
    const refused = await run('migrate', `again-${suffix}`, '--database', 'carts=3', ...words);
    expect(refused.status).toBe(1);
    expect(refused.stderr).toContain('is not empty: it holds 202 keys');
  });

  it('says which namespaces there are when one is unknown', async () => {
    const unknown = await run('migrate', `unknown-${suffix}`, '--namespace', 'order', ...words);
    expect(unknown.status, how).toBe(1);
    expect(unknown.stderr).toContain('has no namespace "order"');
    expect(unknown.stderr).toMatch(/It has default, .*orders/);
  });
});
