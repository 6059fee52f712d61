import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import process from 'node:process';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { MigrationEnds } from '../support/migration-ends.js';
import { program } from '../support/tailrace-program.js';

let ends: MigrationEnds;
beforeAll(async () => {
  ends = await MigrationEnds.open('migrate-large-keys');
  const fields = Array.from({ length: 4_000 }, (_, at): [string, string] => [`field ${at}`, 'v'.repeat(100)]);
  await ends.source.hset('large:hash', new Map(fields));
  await ends.source.rpush('large:list', ...fields.map(([, value]) => value));
  await ends.source.set('large:string', 'x'.repeat(500_000));
  await ends.source.xadd('large:stream', '1-1', 'f', 'x'.repeat(200_000));
  await ends.source.zadd('zset', 1, 'a', 2, 'b');
  for (let at = 0; at < 50; at++) await ends.source.set(`s:${at}`, `${at}`);
});
afterAll(() => ends[Symbol.asyncDispose]());
beforeEach(() => ends.reset());

it('of many small elements counts for what they take in memory, which so stays bounded', async () => {
  const members = Array.from({ length: 300_000 }, (_, at) => `member ${at}`);
  for (let from = 0; from < members.length; from += 50_000)
    await ends.source.sadd('many', ...members.slice(from, from + 50_000));
  const words = [
    ...ends.words(ends.sourceUrl, ends.redis.url, 'migrate'),
    '--no-records',
    '--skip-unsupported',
  ];
  // Its bytes alone are 4 MB.
  const child = spawn(process.execPath, [program, ...words, '--max-key-bytes', '8000000']);
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => {
    said += chunk;
  });
  let peakKiB = 0;
  const watch = setInterval(() => {
    const status = existsSync(`/proc/${child.pid}/status`)
      ? readFileSync(`/proc/${child.pid}/status`, 'utf8')
      : '';
    peakKiB = Math.max(peakKiB, Number(/^VmHWM:\s+(\d+)/m.exec(status)?.[1] ?? 0));
  }, 20);
  const status = await new Promise((resolve) => child.once('close', resolve));
  clearInterval(watch);
  await ends.source.del('many');
  expect(status, said).toBe(0);
  expect(said).toMatch(/done .* 1 left out/);
  expect(await ends.target.exists('many')).toBe(0);
  expect(peakKiB).toBeLessThan(250 * 1024);
});

const limit = ['--max-key-bytes', '100000'];

describe.each([
  ['by records', []],
  ['by commands', ['--no-records']],
])('a key larger than --max-key-bytes, read %s', (_, how) => {
  it('ends the migration with the name of the key and what to do', async () => {
    const refused = await ends.run('migrate', ...limit, ...how);
    expect(refused.status).toBe(1);
    expect(refused.stderr).toMatch(
      /the key "large:\w+" cannot be copied: it has more bytes than --max-key-bytes/,
    );
    expect(refused.stderr).toContain('(LIMIT_EXCEEDED)');
  });

  it('is left out, counted and named', async () => {
    const skipped = await ends.run('migrate', ...limit, ...how, '--skip-unsupported');
    expect(skipped.status, skipped.stderr).toBe(0);
    expect(skipped.stderr).toMatch(/done .* 4 left out/);
    for (const name of ['hash', 'list', 'string', 'stream'])
      expect(skipped.stderr).toContain(`large:${name}`);
    expect(await ends.target.keys('large:*')).toEqual([]);
    expect(await ends.target.dbsize()).toBe(52);
  });

  it('is copied with a higher limit', async () => {
    const copied = await ends.run('migrate', '--max-key-bytes', '2000000', ...how);
    expect(copied.status, copied.stderr).toBe(0);
    expect(await ends.target.hlen('large:hash')).toBe(4_000);
    expect(await ends.target.strlen('large:string')).toBe(500_000);
  });
});
