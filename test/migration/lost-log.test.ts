import { afterAll, beforeAll, expect, it } from 'vitest';
import { dataStateOf } from '../support/data-state.js';
import { MigrationEnds } from '../support/migration-ends.js';

let ends: MigrationEnds;
beforeAll(async () => {
  // The log keeps only what someone asks for.
  const retention = { keepMs: -60_000, keepBytes: 0, intervalMs: 3_600_000 };
  ends = await MigrationEnds.open('lost-log', '', [], { segmentBytes: 4_096, retention });
});
afterAll(() => ends[Symbol.asyncDispose]());

const fill = async (value: string): Promise<void> => {
  for (let at = 0; at < 100; at++) await ends.source.set(`s:${at}`, value.repeat(100));
};

it('a migration that comes too late for the log says what goes on, and that does', async () => {
  await fill('a');
  const first = await ends.run('migrate');
  expect(first.status, first.stderr).toBe(0);
  for (const { name } of ends.engine.slots.list()) await ends.source.call('SLOT', 'DROP', name);
  await ends.source.set('gone', '1');
  await fill('b');
  await ends.engine.flush();
  await ends.engine.trimLog();

  const late = await ends.run('migrate');
  expect(late.status).toBe(1);
  expect(late.stderr).toContain('(WAL_PURGED)');
  const advised = /start over by (--restart --existing overwrite)/.exec(late.stderr)?.[1].split(' ') ?? [];
  const again = await ends.run('migrate', ...advised);
  expect(again.status, again.stderr).toBe(0);
  expect(await dataStateOf(ends.redis.url)).toEqual(await dataStateOf(ends.sourceUrl));
});
