import { afterAll, beforeAll, expect, it } from 'vitest';
import { MigrationEnds } from '../support/migration-ends.js';
import { openKvrocks } from '../support/older-kvrocks.js';

let ends: MigrationEnds;
beforeAll(async () => {
  // Two seconds, and next to nothing.
  const retention = { keepMs: 2_000, maxBytes: 20_000 };
  ends = await MigrationEnds.open('retention-warning', '', [], { retention });
  for (let at = 0; at < 300; at++) await ends.source.set(`s:${at}`, 'x');
});
afterAll(() => ends[Symbol.asyncDispose]());

/** Copies while somebody writes; the lines of standard error that warn of the log. */
const warningsOf = async (from: string, ...words: readonly string[]): Promise<string[]> => {
  await ends.reset();
  let isOver = false;
  const writing = (async () => {
    for (let at = 0; !isOver; at++) await ends.source.set(`written:${at % 50}`, `${at}`);
    return true;
  })();
  const done = await ends.runBetween(from, ends.redis.url, 'migrate', ...words);
  isOver = true;
  await writing;
  expect(done.status, done.stderr).toBe(0);
  return done.stderr.split('\n').filter((line) => line.includes('the log of the source'));
};

const reading = /at \d+ writes\/s, and reading 3\d\d keys takes about 3 s/;

it('a Kvrocks whose log is kept for less than the copy takes is warned of, with the figures', async () => {
  await using kvrocks = await openKvrocks(ends.server.port);
  const slow = ['--max-keys-per-second', '120'];
  const [warning, ...more] = await warningsOf(kvrocks.url, ...slow);
  expect(more).toEqual([]);
  expect(warning).toMatch(/its log is kept for about \d+ s \(2 s, 0 MB\)/);
  expect(warning).toMatch(reading);
  expect(warning).toContain('raise rocksdb.wal_ttl_seconds and rocksdb.wal_size_limit_mb');
  expect(await warningsOf(kvrocks.url)).toEqual([]);
});

it('a tailrace, which keeps its log for the migration, is warned of where it may not keep so much', async () => {
  const [warning, ...more] = await warningsOf(ends.sourceUrl, '--max-keys-per-second', '120');
  expect(more).toEqual([]);
  expect(warning).toContain('raise --wal-max of tailrace serve');
  expect(warning).toMatch(reading);
});
