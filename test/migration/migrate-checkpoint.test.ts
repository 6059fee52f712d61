import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { TailraceProcess } from '../crash/tailrace-process.js';
import { dataStateOf } from '../support/data-state.js';
import { MigrationEnds } from '../support/migration-ends.js';
import { waitUntil } from '../support/wait-until.js';

let ends: MigrationEnds;
let other: MigrationEnds;
beforeAll(async () => {
  // The log keeps only what someone asks for.
  const retention = { keepMs: -60_000, keepBytes: 0, intervalMs: 3_600_000 };
  ends = await MigrationEnds.open('migrate-checkpoint', '', [], { segmentBytes: 4_096, retention });
  other = await MigrationEnds.open('migrate-checkpoint-other');
});
afterAll(async () => {
  await ends[Symbol.asyncDispose]();
  await other[Symbol.asyncDispose]();
});
beforeEach(async () => {
  await ends.reset();
  await other.source.flushall();
  await ends.source.flushall();
  await Promise.all(
    Array.from({ length: 300 }, (_, at) =>
      at % 3 === 0
        ? ends.source.rpush(`list:${at}`, 'a', `${at}`)
        : at % 3 === 1
          ? ends.source.set(`string:${at}`, 'x'.repeat(100))
          : ends.source.hset(`hash:${at}`, 'f', `${at}`),
    ),
  );
});
afterEach(async () => {
  for (const { id } of await checkpoints()) await ends.source.call('CHECKPOINT', 'DELETE', id);
  for (const { name } of ends.engine.slots.list()) await ends.source.call('SLOT', 'DROP', name);
});

const checkpoints = async (): Promise<{ id: string; name: string; sequence: number }[]> =>
  JSON.parse(String(await ends.source.call('CHECKPOINT', 'LIST')));

/** Removes of the log what nobody asks for. */
const trim = async (): Promise<number> => {
  await ends.engine.flush();
  await ends.engine.trimLog();
  return ends.engine.stats().firstLogSequence;
};

const expectSame = async (url: string): Promise<void> =>
  expect(await dataStateOf(url)).toEqual(await dataStateOf(ends.sourceUrl));

const changeAll = async (word: string): Promise<void> => {
  await Promise.all(Array.from({ length: 100 }, (_, at) => ends.source.rpush(`list:${at * 3}`, word)));
  await ends.source.del('string:1', 'hash:2');
  await ends.source.set('new', word);
};

describe('migrate --checkpoint', () => {
  it('reads the keys as they were at a checkpoint, and goes on with the log behind it', async () => {
    await ends.source.call('CHECKPOINT', 'CREATE', 'NAME', 'nightly', 'HOLDLOG');
    const [{ sequence }] = await checkpoints();
    await changeAll('later');
    await trim();
    const file = join(ends.directory, 'told.ndjson');
    const done = await ends.runBetween(ends.sourceUrl, file, 'migrate', '--checkpoint', 'nightly');
    expect(done.status, done.stderr).toBe(0);
    const events: Record<string, unknown>[] = readFileSync(file, 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    const firstOfLog = events.findIndex(({ seq }) => Number(seq) > sequence);
    const [before, behind] = [events.slice(0, firstOfLog), events.slice(firstOfLog)];
    expect(new Set(before.map(({ key }) => key)).size).toBe(300);
    expect(before.every(({ seq }) => seq === sequence)).toBe(true);
    expect(before.filter(({ value }) => value === 'later')).toEqual([]);
    expect(behind.filter(({ value }) => value === 'later').length).toBe(101);
    expect(behind.filter(({ op, key }) => op === 'delete' && key === 'string:1').length).toBe(1);
    // It is the user's own.
    expect((await checkpoints()).map(({ name }) => name)).toEqual(['nightly']);
  });

  /** So slow that it is killed in the middle of its walk. */
  const killInWalk = async (to: string, ...slow: readonly string[]): Promise<void> => {
    const words = [...ends.words(ends.sourceUrl, to, 'migrate'), '--checkpoint', ...slow];
    const migrator = new TailraceProcess(words, ends.directory);
    migrator.start();
    await waitUntil('a part is copied', () => {
      if (migrator.failure !== undefined) throw new Error(migrator.failure);
      return existsSync(ends.stateFile) && stepOf(ends.stateFile) > 0;
    });
    await migrator.kill();
  };

  it.each([
    ['a Redis', () => ends.redis.url, ['--max-keys-per-second', '20']],
    ['another store', () => other.sourceUrl, ['--max-mb-per-second', '0.002']],
  ])(
    'makes one for itself, goes on with it when killed, and deletes it in the end: to %s',
    async (_, to, slow) => {
      await killInWalk(to(), ...slow);
      const [{ name, sequence }] = await checkpoints();
      await changeAll('changed');
      await trim();
      const done = await ends.runBetween(ends.sourceUrl, to(), 'migrate', '--checkpoint');
      expect(done.status, done.stderr).toBe(0);
      expect(done.stderr).toContain(`reading a checkpoint checkpoint=${name} sequence=${sequence}\n`);
      expect(done.stderr).toContain('deleted the checkpoint');
      expect(await checkpoints()).toEqual([]);
      await expectSame(to());
    },
  );

  it('goes on with the keys as they are now when its own is gone', async () => {
    await killInWalk(ends.redis.url, '--max-keys-per-second', '20');
    for (const { id } of await checkpoints()) await ends.source.call('CHECKPOINT', 'DELETE', id);
    await changeAll('meanwhile');
    const done = await ends.run('migrate', '--checkpoint');
    expect(done.status, done.stderr).toBe(0);
    expect(done.stderr).toContain('going on with the keys as they are now');
    await expectSame(ends.redis.url);
  });

  it('says that there is no such checkpoint, or no log behind it any more, and what to do', async () => {
    const unknown = await ends.run('migrate', '--checkpoint', 'nobody');
    expect(unknown.status).toBe(1);
    expect(unknown.stderr).toContain('(CHECKPOINT_NOT_FOUND)');
    await ends.source.call('CHECKPOINT', 'CREATE', 'NAME', 'loose');
    await changeAll('later');
    await trim();
    const purged = await ends.run('migrate', '--checkpoint', 'loose');
    expect(purged.status).toBe(1);
    expect(purged.stderr).toContain('(WAL_PURGED)');
    expect(purged.stderr).toContain('HOLDLOG');
    const noCommands = await ends.run('migrate', '--checkpoint', '--no-records');
    expect(noCommands.status).toBe(2);
    expect(noCommands.stderr).toContain('Leave --checkpoint out');
    expect(await ends.target.keys('list:*')).toEqual([]);
  });
});

describe('the log of a tailrace', () => {
  it.each([
    ['by parts of the keys', () => ends.redis.url, ['--max-keys-per-second', '300']],
    ['by records as they are', () => other.sourceUrl, ['--max-mb-per-second', '0.1']],
  ])('is kept for a migration while its keys are copied %s, however little it keeps', async (_, to, slow) => {
    const words = [...ends.words(ends.sourceUrl, to(), 'migrate'), ...slow];
    const migrator = new TailraceProcess(words, ends.directory);
    migrator.start();
    await waitUntil('it has its place in the log', () => {
      if (migrator.failure !== undefined) throw new Error(migrator.failure);
      return existsSync(ends.stateFile);
    });
    const ended = migrator.ended();
    let isOver = false;
    void ended.then(() => {
      isOver = true;
    });
    let removed = 0;
    for (let at = 0; at === 0 || !isOver; at++) {
      await changeAll(`change ${at % 3}`);
      removed = await trim();
    }
    expect(migrator.exitCode, migrator.said).toBe(0);
    expect(removed).toBeGreaterThan(1);
    // What came while it ended is brought by the next run.
    const rest = await ends.runBetween(ends.sourceUrl, to(), 'migrate');
    expect(rest.status, rest.stderr).toBe(0);
    await expectSame(to());
  });
});

const stepOf = (stateFile: string): number => JSON.parse(readFileSync(stateFile, 'utf8')).steps.at(-1).step;
