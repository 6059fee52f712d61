import { existsSync, readFileSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { Engine } from '../../src/engine/index.js';
import { Server } from '../../src/server/index.js';
import { type RedisService, startRedis, throwAwayDirectory } from '../services/index.js';
import { type ProgramResult, runProgram } from '../support/run-program.js';
import { positionKey } from './migration-setup.js';

const directory = throwAwayDirectory('migrate-command');
let service: RedisService;
let engine: Engine;
let server: Server;
let source: Redis;
let target: Redis;
beforeAll(async () => {
  service = await startRedis();
  engine = await Engine.open(join(directory.path, 'store'), { sync: 'none' });
  server = await Server.listen(engine, { port: 0, password: 'secret' });
  source = new Redis(server.port, { password: 'secret' });
  target = new Redis(service.port);
  for (let at = 0; at < 300; at++) {
    await source.set(`s:${at}`, `value ${at}`);
    await source.hset(`h:${at}`, 'f', `${at}`);
  }
  await source.set('expiring', 'x', 'PXAT', 4_000_000_000_000);
  await source.rpush('list', 'a', 'b', 'c');
});
afterAll(async () => {
  source.disconnect();
  target.disconnect();
  await server.close();
  await engine.close();
  await service.stop();
  directory.remove();
});
beforeEach(async () => {
  await target.flushall();
  const state = join(directory.path, 'state.json');
  if (existsSync(state)) unlinkSync(state);
});

const run = (command: string, ...words: string[]): Promise<ProgramResult> => {
  const from = `redis://:secret@127.0.0.1:${server.port}`;
  return runWith(from, service.url, command, ...words);
};

const runWith = (from: string, to: string, command: string, ...words: string[]): Promise<ProgramResult> => {
  const state = command === 'verify' ? [] : ['--state', join(directory.path, 'state.json')];
  const ends = ['--from', from, '--to', to];
  return runProgram(process.execPath, ['bin/tailrace.js', command, ...ends, ...state, ...words]);
};

describe('migrate, verify and cutover', () => {
  it('copy, find each kind of difference, repair it, and cut over', async () => {
    const migrated = await run('migrate', '--json');
    expect(migrated.status, migrated.stderr).toBe(0);
    const events = migrated.stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(events.at(-1)).toMatchObject({ event: 'progress', phase: 'done', keys: 602, lag: 0 });
    expect(migrated.stdout + migrated.stderr).not.toContain('secret');
    expect(await target.lrange('list', 0, -1)).toEqual(['a', 'b', 'c']);
    expect(await target.pexpiretime('expiring')).toBe(4_000_000_000_000);

    const same = await run('verify');
    expect(same.stdout).toContain('the same: 0 differences');
    expect(same.status).toBe(0);

    await target.set('s:1', 'changed');
    await target.del('h:2');
    await target.persist('expiring');
    await target.del('list');
    await target.set('list', 'of another type');
    await target.set('extra', '1');
    const different = await run('verify', '--json', '--settle', '100');
    expect(different.status).toBe(3);
    const report = JSON.parse(different.stdout);
    expect(report).toMatchObject({ differences: 5, unsettled: 0 });
    const kinds = report.named.map(({ key, kind }: { key: string; kind: string }) => [key, kind]).sort();
    expect(kinds).toEqual([
      ['expiring', 'expiry'],
      ['extra', 'extra'],
      ['h:2', 'missing'],
      ['list', 'type'],
      ['s:1', 'value'],
    ]);

    const repaired = await run('verify', '--repair', '--settle', '100');
    expect(repaired.stdout).toContain('5 repaired');
    expect(repaired.status).toBe(0);
    const cut = await run('cutover', '--quiet-for', '100');
    expect(cut.status, cut.stderr).toBe(0);
    expect(cut.stdout).toContain('the target holds every write up to sequence number');
  });

  it('refuse a target that holds keys, or overwrite them, or leave them alone', async () => {
    await target.set('s:5', 'mine');
    await target.hset('other', 'f', 'v');
    const refused = await run('migrate');
    expect(refused.status).toBe(1);
    expect(refused.stderr).toContain('is not empty: it holds 2 keys');
    expect(await target.exists(positionKey)).toBe(0);

    const skipped = await run('migrate', '--existing', 'skip');
    expect(skipped.status, skipped.stderr).toBe(0);
    expect(await target.mget('s:5', 's:6')).toEqual(['mine', 'value 6']);
    await source.append('s:5', '!');
    expect((await run('migrate', '--existing', 'skip')).status).toBe(0);
    expect(await target.get('s:5')).toBe('mine');

    expect((await run('migrate', '--existing', 'overwrite', '--restart')).status).toBe(0);
    expect(await target.mget('s:5', 's:6')).toEqual(['value 5!', 'value 6']);
    expect(await target.hgetall('other')).toEqual({ f: 'v' });
  });

  it('tell what is wrong with a source or a target', async () => {
    const wrong = await runWith(`redis://:wrong@127.0.0.1:${server.port}`, service.url, 'migrate');
    expect(wrong.status).toBe(1);
    expect(wrong.stderr).toContain('(SOURCE_REFUSED)');
    const plain = await runWith(service.url, `redis://127.0.0.1:${server.port}`, 'verify');
    expect(plain.status).toBe(1);
    const noLog = await runWith(service.url, service.url, 'migrate', '--name', 'other');
    expect(noLog.status).toBe(1);
    expect(noLog.stderr).toContain('POLLUPDATES needs Apache Kvrocks 2.10 or later, or tailrace serve');
    const unknown = await run('migrate', '--to', 'gopher://x');
    expect(unknown.status).toBe(2);
  });

  it('write change events to a file, once each, with numbers that no two share', async () => {
    const path = join(directory.path, 'events.ndjson');
    const written = await run('migrate', '--to', path, '--name', 'file');
    expect(written.status, written.stderr).toBe(0);
    const events = readFileSync(path, 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    const numbers = new Set(
      events.map(({ seq, index }: { seq: number; index: number }) => `${seq}:${index}`),
    );
    expect(numbers.size).toBe(events.length);
    const keys = new Set(events.map(({ key }: { key: string }) => key));
    expect(keys.size).toBe(602);
  });
});
