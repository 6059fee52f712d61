import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { RespConnection } from '../../src/resp/index.js';
import { TailraceProcess } from '../crash/tailrace-process.js';
import { type RedisService, startRedis } from '../services/index.js';
import { readDataState } from '../support/data-state.js';
import { MigrationEnds } from '../support/migration-ends.js';
import { openOlderKvrocks, type PosingKvrocks } from '../support/older-kvrocks.js';
import { randomCommands } from '../support/random-commands.js';
import { SeededRandom } from '../support/seeded-random.js';
import { waitUntil } from '../support/wait-until.js';

let ends: MigrationEnds;
let older: PosingKvrocks;
beforeAll(async () => {
  ends = await MigrationEnds.open('plain-copy');
  older = await openOlderKvrocks(ends.server.port);
  const next = randomCommands(SeededRandom.fromEnvironment('plain copy'));
  const client = await connect(ends.server.port);
  for (let at = 0; at < 400; at++) {
    const command = next();
    if (!/^(FLUSH|PF|BLPOP|BRPOP|BLMOVE|BZ|BLMPOP|XREAD)/i.test(String(command[0])))
      await client.call(...command);
  }
  for (let at = 0; at < 700; at++) await client.call('RPUSH', `list:${at}`, 'a', at);
  for (let at = 0; at < 5000; at++) await client.call('HSET', 'large', `field ${at}`, at);
  client.close();
});
afterAll(async () => {
  await older[Symbol.asyncDispose]();
  await ends[Symbol.asyncDispose]();
});
beforeEach(() => ends.reset());

const connect = (port: number): Promise<RespConnection> => RespConnection.open({ host: '127.0.0.1', port });

const stateOf = async (port: number): Promise<Record<string, unknown>> => {
  const client = await connect(port);
  const state = await readDataState(client, (key) => key.startsWith('tailrace:') || key.startsWith('hll'));
  client.close();
  return state;
};

describe('a source without POLLUPDATES', () => {
  it('is refused, with the version that has it and the way to copy it once', async () => {
    const refused = await ends.runBetween(older.url, ends.redis.url, 'migrate');
    expect(refused.status).toBe(1);
    expect(refused.stderr).toContain('has no POLLUPDATES');
    expect(refused.stderr).toContain('2.10');
    expect(refused.stderr).toContain('migrate --once');
    const followed = await ends.runBetween(older.url, ends.redis.url, 'migrate', '--follow');
    expect(followed.stderr).toContain('has no POLLUPDATES');
    expect((await ends.runBetween(older.url, ends.redis.url, 'cutover')).stderr).toContain(
      'has no POLLUPDATES',
    );
  });

  it('is copied by --once, in which every output says that changes are not followed, and verified', async () => {
    const copied = await ends.runBetween(
      older.url,
      ends.redis.url,
      'migrate',
      '--once',
      '--verify',
      '--skip-unsupported',
    );
    expect(copied.status, copied.stderr).toBe(0);
    expect(copied.stderr).toContain('what changes meanwhile may be missing');
    expect(copied.stderr).toMatch(/done .*changes are not followed/);
    expect(copied.stdout).toContain('the same: 0 differences');
    expect(await stateOf(ends.redis.port)).toEqual(await stateOf(ends.server.port));

    // A second run has nothing to go on with, and says so.
    const again = await ends.runBetween(older.url, ends.redis.url, 'migrate', '--once', '--json');
    expect(again.status, again.stderr).toBe(0);
    expect(again.stderr).toContain('--restart copies it again');
    for (const line of again.stdout.trim().split('\n'))
      expect(JSON.parse(line)).toMatchObject({ followsChanges: false });
  });

  it('may have been a target itself: its own position is no difference, and not repaired into the target', async () => {
    const position = 'tailrace:migrate:position';
    const source = await connect(ends.server.port);
    await source.call('HSET', position, 'sequence', '99');
    const words = ['--once', '--verify', '--skip-unsupported'];
    const copied = await ends.runBetween(older.url, ends.redis.url, 'migrate', ...words);
    expect(copied.stdout).toContain('the same: 0 differences');
    const repaired = await ends.runBetween(older.url, ends.redis.url, 'verify', '--repair');
    expect(repaired.status, repaired.stderr).toBe(0);
    expect(await ends.target.hget(position, 'sequence')).not.toBe('99');
    await source.call('DEL', position);
    source.close();
  });

  it('goes on where it stood when it is run again', async () => {
    const words = ends.words(older.url, ends.redis.url, 'migrate');
    const migrator = new TailraceProcess(
      [...words, '--once', '--skip-unsupported', '--max-keys-per-second', '200'],
      ends.directory,
    );
    migrator.start();
    await waitUntil('some keys are there', async () => (await ends.target.dbsize()) > 200);
    await migrator.killAndRestart();
    await migrator.ended();
    expect(migrator.exitCode, migrator.said).toBe(0);
    expect(migrator.said).toContain('migration goes on');
    expect(await stateOf(ends.redis.port)).toEqual(await stateOf(ends.server.port));
  });
});

describe('a Redis as the source', () => {
  let plain: RedisService;
  beforeAll(async () => {
    plain = await startRedis();
  });
  afterAll(() => plain.stop());

  it('is copied once, whatever the order of its keys', async () => {
    const client = await connect(plain.port);
    for (let at = 0; at < 2000; at++) {
      await client.call('SET', `s:${at}`, at, ...(at % 5 === 0 ? ['PXAT', 4_000_000_000_000] : []));
      if (at % 10 === 0) await client.call('ZADD', `z:${at}`, 1.5, 'a', '-inf', 'b');
    }
    await client.call('XADD', 'stream', '1-1', 'f', 'v');
    await client.call('XGROUP', 'CREATE', 'stream', 'group', '0');
    client.close();
    const copied = await ends.runBetween(plain.url, ends.redis.url, 'migrate', '--once', '--verify');
    expect(copied.status, copied.stderr).toBe(0);
    expect(copied.stdout).toContain('the same: 0 differences');
    expect(await stateOf(ends.redis.port)).toEqual(await stateOf(plain.port));
  });
});
