import { existsSync } from 'node:fs';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { TailraceProcess } from '../crash/tailrace-process.js';
import { freePort } from '../services/daemon.js';
import { startRedis } from '../services/index.js';
import { MigrationEnds } from '../support/migration-ends.js';
import { ScriptedServer } from '../support/scripted-server.js';
import { waitUntil } from '../support/wait-until.js';

let ends: MigrationEnds;
beforeAll(async () => {
  ends = await MigrationEnds.open('migrate-bad-ends', 'secret');
  for (let at = 0; at < 100; at++) await ends.source.set(`s:${at}`, 'x'.repeat(1000));
});
afterAll(() => ends[Symbol.asyncDispose]());
beforeEach(() => ends.reset());

describe('migrate', () => {
  it('says that the password of the source is wrong, or missing, and writes nothing', async () => {
    for (const user of [':wrong@', '']) {
      const from = `redis://${user}127.0.0.1:${ends.server.port}`;
      const refused = await ends.runBetween(from, ends.redis.url, 'migrate');
      expect(refused.status).toBe(1);
      expect(refused.stderr).toContain('(SOURCE_REFUSED)');
      expect(refused.stderr).not.toContain('wrong@');
    }
    expect(await ends.target.dbsize()).toBe(0);
    expect(existsSync(ends.stateFile)).toBe(false);
  });

  it('says that the password of the target is wrong, or missing', async () => {
    const guarded = await startRedis([], 'theirs');
    const to = `redis://127.0.0.1:${guarded.port}`;
    for (const words of [['--to-password', 'ours'], []]) {
      const refused = await ends.runBetween(ends.sourceUrl, to, 'migrate', ...words);
      expect(refused.status).toBe(1);
      expect(refused.stderr).toContain('(SINK_REFUSED)');
      expect(refused.stderr).toContain('--to-password');
      expect(refused.stderr).not.toContain('ours');
    }
    await guarded.stop();
  });

  it('gives up a source or a target that is not there, soon', async () => {
    const nobody = `redis://127.0.0.1:${await freePort()}`;
    const noSource = await ends.runBetween(nobody, ends.redis.url, 'migrate');
    expect(noSource.status).toBe(1);
    expect(noSource.stderr).toContain('(SOURCE_UNREACHABLE)');
    const tries = noSource.stderr.match(/trying again/g) ?? [];
    expect([1, 2, 3]).toContain(tries.length); // not for each of a dozen tries
    const noTarget = await ends.runBetween(ends.sourceUrl, nobody, 'migrate');
    expect(noTarget.status).toBe(1);
    expect(noTarget.stderr).toContain('(SINK_UNREACHABLE)');
  });

  it('refuses a source that has no log, and names what has one', async () => {
    const noLog = await ends.runBetween(ends.redis.url, ends.redis.url, 'migrate', '--name', 'other');
    expect(noLog.status).toBe(1);
    expect(noLog.stderr).toContain('(SOURCE_UNSUPPORTED)');
    expect(noLog.stderr).toContain('Apache Kvrocks has it from 2.10 on, tailrace serve always');
    expect(noLog.stderr).toContain('--once');
  });

  it('refuses a source that does not speak the protocol', async () => {
    await using stranger = await ScriptedServer.open(() => 'HTTP/1.1 400 Bad Request\r\n\r\n');
    const refused = await ends.runBetween(stranger.url, ends.redis.url, 'migrate');
    expect(refused.status).toBe(1);
    expect(refused.stderr).toMatch(/\((RESP_PROTOCOL|SOURCE_UNREACHABLE|SOURCE_UNSUPPORTED)\)/);
  });

  it('refuses to copy a store onto itself', async () => {
    const same = await ends.runBetween(ends.sourceUrl, ends.sourceUrl, 'migrate', '--existing', 'overwrite');
    expect(same.status).toBe(2);
    expect(same.stderr).toContain('is the source and the target');
    const byName = ends.sourceUrl.replace('127.0.0.1', 'localhost');
    const alias = await ends.runBetween(ends.sourceUrl, byName, 'migrate', '--existing', 'overwrite');
    expect(alias.status, alias.stderr).toBe(2);
  });

  it('waits for a target that is out of memory, says so, and goes on when there is room', async () => {
    for (let at = 0; at < 1000; at++) await ends.source.set(`more:${at}`, 'x'.repeat(1000));
    const used = /^used_memory:(\d+)/m.exec(await ends.target.info('memory'))?.[1];
    await ends.target.config('SET', 'maxmemory', `${Number(used) + 600_000}`);
    // In parts that are small beside the room that is left.
    const words = [...ends.words(ends.sourceUrl, ends.redis.url, 'migrate'), '--max-keys-per-second', '2000'];
    const migrator = new TailraceProcess(words, ends.directory);
    migrator.start();
    await waitUntil('it says why', () => migrator.said.includes('OOM') || migrator.failure !== undefined);
    expect(migrator.failure).toBeUndefined();
    expect(migrator.said).toContain('raise its maxmemory');
    await ends.target.config('SET', 'maxmemory', '0');
    await migrator.ended();
    expect(migrator.exitCode, migrator.said).toBe(0);
    expect(await ends.target.dbsize()).toBe(1101);
  });

  it('does not begin with a target that is a replica, and names the remedy', async () => {
    const replica = await startRedis(['--replicaof', '127.0.0.1', `${ends.redis.port}`]);
    const refused = await ends.runBetween(ends.sourceUrl, replica.url, 'migrate');
    expect(refused.status).toBe(1);
    expect(refused.stderr).toMatch(/read only replica|READONLY/i);
    expect(refused.stderr).toContain('give the address of its master');
    await replica.stop();
  });

  it('says when the form of the target is unknown', async () => {
    expect((await ends.run('migrate', '--to', 'gopher://x')).status).toBe(2);
  });
});
