import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { openMirror } from '../../sinks/postgres/index.js';
import { makeKeyReader, ServerConnection, ServerNames } from '../../src/migration/index.js';
import { MirrorTarget, Verification } from '../../src/migration/verify/index.js';
import { parseRedisUrl } from '../../src/resp/index.js';
import { MigrationEnds, reportIn } from '../support/migration-ends.js';
import { pluginContext } from '../support/plugin-context.js';
import { SeededRandom } from '../support/seeded-random.js';
import { runTailrace } from '../support/tailrace-program.js';
import { TestPostgres } from '../support/test-postgres.js';
import { writeRandomly } from './migration-setup.js';

const { signal } = new AbortController();

describe('verify of a mirror in a Postgres', () => {
  const postgres = new TestPostgres(
    'DROP SCHEMA IF EXISTS tailrace CASCADE; DROP SCHEMA IF EXISTS other CASCADE',
  );
  let ends: MigrationEnds;
  beforeAll(async () => {
    ends = await MigrationEnds.open('verify-mirror', 'secret');
  });
  afterAll(() => ends[Symbol.asyncDispose]());
  beforeEach(async () => {
    await ends.source.flushall();
    await ends.reset();
  });

  const verify = (...words: string[]) => ends.runBetween(ends.sourceUrl, postgres.url, 'verify', ...words);
  /** `kind key` of each difference from the mirror in a schema. */
  const differences = async (schema: string): Promise<string[]> => {
    const connection = new ServerConnection(parseRedisUrl(ends.sourceUrl));
    const mirror = await openMirror({ url: postgres.url, password: '', schema });
    const keys = await makeKeyReader(connection, signal);
    try {
      const verification = new Verification({
        ...{ keys, names: new ServerNames(connection), target: new MirrorTarget(mirror, ['default']) },
        ...{ namespaces: ['default'], ttlToleranceMs: 1_000, sample: 0, settleMs: 20, repairs: false },
        logger: pluginContext('p').log,
      });
      await verification.run(signal);
      return verification.differences.map(({ kind, key }) => `${kind} ${key.toString()}`);
    } finally {
      await mirror.close();
      await keys[Symbol.asyncDispose]();
      connection.close();
    }
  };
  const fill = async (): Promise<void> => {
    const { source } = ends;
    await source.set('string', Buffer.of(0, 255, 1));
    await source.set('lasting', 'x', 'PXAT', 4_000_000_000_000);
    await source.hset('hash', 'f', Buffer.of(0, 255), 'g', '2');
    await source.rpush('list', 'a', 'b', 'a');
    await source.lpush('list', 'z');
    await source.sadd('set', 'x', 'y');
    await source.zadd('zset', 1.5, 'm', '-inf', 'n', 0.1, 'o');
    await source.setbit('bitmap', 70_000, 1);
    await source.pfadd('hyperloglog', 'a', 'b', 'c');
    await source.call('SIADD', 'ids', '1', '18446744073709551615');
    await source.call('JSON.SET', 'json', '$', '{"long name":[1.50,1e3,"x"],"b":null,"a":{"y":1,"x":2}}');
    await source.xadd('stream', '1-1', 'f', 'v', 'g', 'w');
    await source.xadd('stream', '1700000000000-2', 'f', 'v');
    await source.xgroup('CREATE', 'stream', 'group', '0');
    await source.xreadgroup('GROUP', 'group', 'consumer', 'COUNT', 1, 'STREAMS', 'stream', '>');
    await source.xgroup('CREATE', 'empty stream', 'group', '$', 'MKSTREAM');
  };

  it('finds the two the same after a migration, and each difference that there is then', async () => {
    await fill();
    const migrated = await ends.runBetween(ends.sourceUrl, postgres.url, 'migrate', '--verify');
    expect(migrated.status, migrated.stderr).toBe(0);
    expect(migrated.stdout).toContain('the same: 0 differences');
    expect(migrated.stdout).toContain('compared 12 keys');
    for (const [statement, found] of [
      [`UPDATE strings SET value = 'y' WHERE key = 'lasting'`, 'value lasting'],
      [`UPDATE strings SET expires_at = NULL WHERE key = 'lasting'`, 'expiry lasting'],
      [`DELETE FROM strings WHERE key = 'string'`, 'missing string'],
      [`UPDATE hashes SET value = '3' WHERE field = 'g'`, 'value hash'],
      [`DELETE FROM hashes WHERE field = 'g'`, 'value hash'],
      [`UPDATE lists SET position = position - 100 WHERE value = 'b'`, 'value list'],
      [`DELETE FROM sets WHERE member = 'x'`, 'value set'],
      [`UPDATE sorted_sets SET score = 2 WHERE member = 'm'`, 'value zset'],
      [`UPDATE bitmaps SET bytes = '\\x01'`, 'value bitmap'],
      [`UPDATE hyperloglogs SET registers = set_byte(registers, 0, 9)`, 'value hyperloglog'],
      [`DELETE FROM sorted_ints WHERE id > 1`, 'value ids'],
      [`UPDATE json SET document = document || '{"b": 1}'`, 'value json'],
      [`DELETE FROM streams WHERE seq = 2`, 'value stream'],
      [`UPDATE stream_groups SET last_seq = 9 WHERE key = 'stream'`, 'value stream'],
      [`DELETE FROM stream_pending`, 'value stream'],
      [`DELETE FROM stream_groups WHERE key = 'empty stream'`, 'value empty stream'],
      [`UPDATE collections SET type = 'set' WHERE key = 'zset'`, 'missing zset'],
      [`UPDATE collections SET expires_at = now() + interval '1 hour' WHERE key = 'hash'`, 'expiry hash'],
      [`UPDATE collections SET expires_at = now() - interval '1 hour' WHERE key = 'hash'`, 'missing hash'],
      [`INSERT INTO strings VALUES ('default', 'another', 'v')`, 'extra another'],
    ] as const) {
      await postgres.client.query(`BEGIN; CREATE SCHEMA other`);
      for (const { name } of (
        await postgres.client.query<{ name: string }>(
          `SELECT relname AS name FROM pg_class WHERE relkind = 'r' AND relnamespace = 'tailrace'::regnamespace`,
        )
      ).rows)
        await postgres.client.query(`CREATE TABLE other.${name} AS SELECT * FROM tailrace.${name}`);
      await postgres.client.query(`SET search_path = other; ${statement}; RESET search_path; COMMIT`);
      expect([statement, await differences('other')]).toEqual([statement, [found]]);
      await postgres.client.query('DROP SCHEMA other CASCADE');
    }
    // What is not of the namespace that is compared is none of its business; what has expired is gone.
    await postgres.client.query(`
      INSERT INTO tailrace.strings VALUES ('elsewhere', 'another', 'v');
      INSERT INTO tailrace.strings VALUES ('default', 'expired', 'v', now() - interval '1 hour')`);
    expect(await differences('tailrace')).toEqual([]);
    expect((await verify('--sample', '5')).status).toBe(0);
  });

  it('finds the same what random commands led to, by the snapshot and by the log', async () => {
    const random = SeededRandom.fromEnvironment('verify of a mirror');
    for (let round = 0; round < 3; round++) {
      const before = ends.engine.sequence;
      await writeRandomly(ends.sourceUrl, random, () => ends.engine.sequence - before >= 3_000);
      const { status, stdout } = await ends.runBetween(
        ...([ends.sourceUrl, postgres.url, 'migrate', '--verify', '--skip-unsupported'] as const),
      );
      expect([status, stdout]).toEqual([0, expect.stringContaining('the same: 0 differences')]);
    }
  });

  it('reads a mirror with columns of text, and every namespace under its name', async () => {
    await ends.source.call('NAMESPACE', 'ADD', 'carts', 'token');
    await ends.source.set('ключ', 'значение');
    const inCarts = ends.source.duplicate({ password: 'token' });
    await inCarts.hset('ключ', 'f', 'v');
    inCarts.disconnect();
    const words = ['--to-option', 'keys=text', '--to-option', 'values=text', '--all-namespaces'];
    const migrated = await ends.runBetween(ends.sourceUrl, postgres.url, 'migrate', '--verify', ...words);
    expect([migrated.status, migrated.stdout]).toEqual([0, expect.stringContaining('compared 2 keys')]);
    await postgres.client.query(`UPDATE tailrace.hashes SET value = 'w' WHERE ns = 'carts'`);
    const { status, stdout } = await verify('--all-namespaces', '--json');
    expect([status, reportIn(stdout).named]).toEqual([
      3,
      [{ ns: 'carts', key: 'ключ', kind: 'value', isRepaired: false }],
    ]);
  });

  it('says what cannot be compared, and how it can', async () => {
    const none = await verify();
    expect([none.status, none.stderr]).toEqual([
      1,
      expect.stringMatching(/has no mirror in its schema tailrace\n.*mode: mirror.*schema=NAME/),
    ]);
    const changelog = await verify('--to-option', 'mode=changelog');
    expect([changelog.status, changelog.stderr]).toEqual([
      2,
      expect.stringContaining('cannot be compared with: it is a Postgres in mode changelog'),
    ]);
    const repair = await verify('--repair');
    expect([repair.status, repair.stderr]).toEqual([2, expect.stringContaining('new snapshot')]);
    const topic = await runTailrace('verify', '--from', ends.sourceUrl, '--to', 'kafka://127.0.0.1:1/topic');
    expect([topic.status, topic.stderr]).toEqual([2, expect.stringContaining('it is a Kafka topic')]);
  });
});
