import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Redis } from 'ioredis';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { MigrationEnds, reportIn } from '../support/migration-ends.js';
import { positionKey } from './migration-setup.js';

let ends: MigrationEnds;
let source: Redis;
let target: Redis;
beforeAll(async () => {
  ends = await MigrationEnds.open('migrate-command', 'secret');
  ({ source, target } = ends);
  for (let at = 0; at < 300; at++) {
    await source.set(`s:${at}`, `value ${at}`);
    await source.hset(`h:${at}`, 'f', `${at}`);
  }
  await source.set('expiring', 'x', 'PXAT', 4_000_000_000_000);
  await source.rpush('list', 'a', 'b', 'c');
});
afterAll(() => ends[Symbol.asyncDispose]());
beforeEach(() => ends.reset());

describe('migrate, verify and cutover', () => {
  it('copy, find each kind of difference, repair it, and cut over', async () => {
    const migrated = await ends.run('migrate', '--json');
    expect(migrated.status, migrated.stderr).toBe(0);
    const events = migrated.stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(events.at(-1)).toMatchObject({ event: 'progress', phase: 'done', keys: 602, lag: 0 });
    expect(migrated.stdout + migrated.stderr).not.toContain('secret');
    expect(await target.lrange('list', 0, -1)).toEqual(['a', 'b', 'c']);
    expect(await target.pexpiretime('expiring')).toBe(4_000_000_000_000);

    await target.hset('tailrace:a pipeline:position', 'sequence', '7');
    const same = await ends.run('verify');
    expect(same.stdout).toContain('the same: 0 differences');
    expect(same.status).toBe(0);

    await target.set('s:1', 'changed');
    await target.del('h:2');
    await target.persist('expiring');
    await target.del('list');
    await target.set('list', 'of another type');
    await target.set('extra', '1');
    const different = await ends.run('verify', '--json', '--settle', '100');
    expect(different.status).toBe(3);
    const report = reportIn(different.stdout);
    expect(report).toMatchObject({ differences: 5, unsettled: 0 });
    const kinds = report.named.map(({ key, kind }: { key: string; kind: string }) => [key, kind]).sort();
    expect(kinds).toEqual([
      ['expiring', 'expiry'],
      ['extra', 'extra'],
      ['h:2', 'missing'],
      ['list', 'type'],
      ['s:1', 'value'],
    ]);

    for (let i = 0; i < 60; i++) await target.set(`more:${i}`, '1');
    await target.set(Buffer.from('\xff\n', 'latin1'), '1');
    await target.del('extra');
    const shortened = await ends.run('verify', '--settle', '100');
    expect(shortened.stdout).toContain('and 15 more (--json names 65)');

    const repaired = await ends.run('verify', '--repair', '--settle', '100');
    expect(repaired.stdout).toContain('65 repaired');
    expect(repaired.status).toBe(0);
    expect(await target.hget('tailrace:a pipeline:position', 'sequence')).toBe('7');
    const cut = await ends.run('cutover', '--quiet-for', '100');
    expect(cut.status, cut.stderr).toBe(0);
    expect(cut.stdout).toContain('the target holds every write up to sequence number');
  });

  it('refuse a target that holds keys, or overwrite them, or leave them alone', async () => {
    await target.set('s:5', 'mine');
    await target.hset('other', 'f', 'v');
    const refused = await ends.run('migrate');
    expect(refused.status).toBe(1);
    expect(refused.stderr).toContain('is not empty: it holds 2 keys');
    expect(refused.stderr).toContain('Empty it, or choose');
    expect(refused.stderr.match(/^prepare/gm)).toHaveLength(1); // the last line of the progress stands there once
    expect(await target.exists(positionKey)).toBe(0);

    const skipped = await ends.run('migrate', '--existing', 'skip');
    expect(skipped.status, skipped.stderr).toBe(0);
    expect(await target.mget('s:5', 's:6')).toEqual(['mine', 'value 6']);
    const elsewhere = await ends.run('migrate', '--state', join(ends.directory, 'elsewhere.json'));
    expect(elsewhere.stderr).toContain('run it where its state file is, or name that by --state');
    await source.append('s:5', '!');
    expect((await ends.run('migrate', '--existing', 'skip')).status).toBe(0);
    expect(await target.get('s:5')).toBe('mine');

    expect((await ends.run('migrate', '--existing', 'overwrite', '--restart')).status).toBe(0);
    expect(await target.mget('s:5', 's:6')).toEqual(['value 5!', 'value 6']);
    expect(await target.hgetall('other')).toEqual({ f: 'v' });
  });

  it('write change events to a file, once each, with numbers that no two share', async () => {
    const path = join(ends.directory, 'events.ndjson');
    const written = await ends.run('migrate', '--to', path, '--name', 'file');
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
