import { spawn } from 'node:child_process';
import process from 'node:process';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { TailraceProcess } from '../crash/tailrace-process.js';
import { MigrationEnds } from '../support/migration-ends.js';
import { ScriptedServer } from '../support/scripted-server.js';
import { program } from '../support/tailrace-program.js';
import { waitUntil } from '../support/wait-until.js';

const keys = 3_000;
let ends: MigrationEnds;
beforeAll(async () => {
  ends = await MigrationEnds.open('migrate-interrupted');
  await Promise.all(Array.from({ length: keys }, (_, at) => ends.source.rpush(`list:${at}`, 'a', `${at}`)));
});
afterAll(() => ends[Symbol.asyncDispose]());
beforeEach(() => ends.reset());

const migrate = (...words: readonly string[]): TailraceProcess =>
  new TailraceProcess([...ends.words(ends.sourceUrl, ends.redis.url, 'migrate'), ...words], ends.directory);

/** For what is interrupted long before its end, however late it is noticed how far it has come. */
const slowly = ['--max-keys-per-second', '300'];

const hasCopied = (count: number): Promise<void> =>
  waitUntil(`${count} keys are there`, async () => (await ends.target.dbsize()) > count);

const expectSame = async (count = keys): Promise<void> => {
  // The lists would be longer had anything been pushed twice.
  expect(await ends.target.dbsize()).toBe(count + 1);
  for (const at of [0, 1, 700, keys - 1])
    expect(await ends.target.lrange(`list:${at}`, 0, -1)).toEqual(
      await ends.source.lrange(`list:${at}`, 0, -1),
    );
};

describe('migrate, interrupted', () => {
  it('reads at most one part twice, as the source itself counts', async () => {
    // In parts of 100 keys.
    const slow = ['--max-keys-per-second', '1000'];
    const before = await ends.callsOf('records');
    const migrator = migrate(...slow);
    migrator.start();
    for (const copied of [400, 1_200]) {
      await hasCopied(copied);
      await migrator.killAndRestart();
    }
    await migrator.ended();
    expect(migrator.exitCode, migrator.said).toBe(0);
    // Each start asks once whether there is RECORDS; each kill may lose the part that is being read.
    const parts = keys / 100 + 1;
    const starts = 3;
    const kills = 2;
    expect((await ends.callsOf('records')) - before).toBeLessThanOrEqual(parts + starts + kills);
    await expectSame();
  });

  it('by SIGINT in a write that the target does not answer, ends as told and goes on', async () => {
    const waiting = migrate(...slowly);
    waiting.start();
    await hasCopied(300);
    await ends.target.client('PAUSE', 600_000, 'WRITE');
    await waitUntil('a write waits', async () =>
      /^blocked_clients:[1-9]/m.test(await ends.target.info('clients')),
    );
    expect(await waiting.interrupt(), waiting.said).toBe(130);
    expect(waiting.said).toContain('the same command goes on where it stands');
    await ends.target.client('UNPAUSE');

    const last = migrate();
    last.start();
    await last.ended();
    expect(last.exitCode, last.said).toBe(0);
    await expectSame();
  });

  it('by SIGINT in the snapshot, behind it, and while it follows, ends as told and goes on', async () => {
    const inSnapshot = migrate(...slowly);
    inSnapshot.start();
    await hasCopied(300);
    expect(await inSnapshot.interrupt()).toBe(130);
    expect(inSnapshot.said).toContain('the same command goes on where it stands');
    expect(await ends.target.dbsize()).toBeLessThan(keys);

    const follower = migrate('--follow', '--json');
    follower.start();
    await waitUntil('it goes on and follows', () => follower.told.includes('"phase":"following"'));
    expect(follower.said).toContain('migration goes on');
    await ends.source.rpush('list:700', 'later');
    await waitUntil('the change is there', async () => (await ends.target.llen('list:700')) === 3);
    // To end what follows is no failure.
    expect(await follower.interrupt()).toBe(0);
    await ends.source.rpush('list:1', 'unseen');

    const last = migrate();
    last.start();
    await last.ended();
    expect(last.exitCode, last.said).toBe(0);
    expect(last.said).toContain('migration goes on');
    await expectSame();
  });

  it('by SIGINT before it has begun, leaves nothing behind', async () => {
    await using silent = await ScriptedServer.open(() => undefined);
    const waiting = new TailraceProcess(ends.words(silent.url, ends.redis.url, 'migrate'), ends.directory);
    waiting.start();
    await waitUntil('it asks', () => silent.commands.length > 0);
    expect(await waiting.interrupt()).toBe(130);
    expect(await ends.target.dbsize()).toBe(0);
  });

  it('shows one line that changes on a terminal, and lines by themselves elsewhere', async () => {
    const words = [program, ...ends.words(ends.sourceUrl, ends.redis.url, 'migrate')];
    const command = [process.execPath, ...words, '--max-keys-per-second', '1000', '--verify'].join(' ');
    const child = spawn('script', ['-qec', command, '/dev/null'], { stdio: ['ignore', 'pipe', 'ignore'] });
    let shown = '';
    child.stdout.on('data', (bytes: Buffer) => {
      shown += bytes.toString();
    });
    expect(await new Promise((resolve) => child.once('close', resolve))).toBe(0);
    const lines = shown.split('\r\x1b[2K').filter((line) => line.startsWith('snapshot'));
    expect(lines.length).toBeGreaterThan(2);
    expect(lines.some((line) => /\[=+ *\] \d+% .* keys .*\/s .*about \d+ s left$/.test(line))).toBe(true);
    expect(lines.every((line) => !line.includes('\n'))).toBe(true);
    expect(shown).toMatch(/done .*3,000 keys .* lag 0\r?\n/);
    // The last of the lines that change is gone when the report comes.
    expect(shown).toContain('\r\x1b[2Kcompared 3,000 keys of the source');
    expect(shown.trimEnd()).toMatch(/the same: 0 differences$/);

    await ends.reset();
    const plain = await ends.run('migrate');
    expect(plain.stderr.includes('\r') || plain.stderr.includes('\x1b')).toBe(false);
    expect(plain.stderr).toMatch(/\ndone .*3,000 keys .* lag 0\n$/);
    expect(plain.stdout).toBe('');
  });

  it('tells its events as JSON, whose names and numbers are these', async () => {
    const told = await ends.run('migrate', '--json');
    const events = told.stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    for (const event of events) {
      expect(['phase', 'progress']).toContain(event.event);
      expect(['prepare', 'snapshot', 'catch-up', 'following', 'done']).toContain(event.phase);
      for (const name of numbersOfEvents) expect(event[name], name).toEqual(expect.any(Number));
    }
    expect(events.at(-1)).toMatchObject({
      event: 'progress',
      phase: 'done',
      followsChanges: true,
      keys,
      totalKeys: keys,
      pendingKeys: 0,
      skippedKeys: 0,
      lag: 0,
    });
  });

  // The last: the source counts what expired until it is compacted.
  it('goes on behind expiries that passed meanwhile and had been put off', async () => {
    const { source, target } = ends;
    await source.hset('session', 'first', '1');
    await source.rpush('queue', 'a', 'b');
    await source.setbit('over', 10, 1);
    const migrator = migrate();
    migrator.start();
    await migrator.ended();
    // All at once, so that no key is gone before it is changed.
    const late = source.pipeline();
    for (const key of ['session', 'queue', 'over']) late.pexpire(key, 500);
    late.hset('session', 'second', '2').lset('queue', 0, 'A').setbit('over', 11, 1);
    for (const key of ['session', 'queue']) late.expire(key, 1_000);
    await late.exec();
    await waitUntil('an expiry has passed', async () => (await source.exists('over')) === 0);
    const again = migrate();
    again.start();
    await again.ended();
    expect(again.exitCode, again.said).toBe(0);
    expect(await target.hgetall('session')).toEqual({ first: '1', second: '2' });
    expect(await target.lrange('queue', 0, -1)).toEqual(['A', 'b']);
    expect(await target.ttl('session')).toBeGreaterThan(900);
    expect(await target.exists('over')).toBe(0);
  });
});

const numbersOfEvents = [
  'keys',
  'bytes',
  'parts',
  'pendingKeys',
  'changes',
  'skippedKeys',
  'sequence',
  'lag',
  'lagMs',
] as const;
