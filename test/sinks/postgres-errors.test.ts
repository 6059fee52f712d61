import { once } from 'node:events';
import { chmodSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { EngineSource } from '../../connectors/engine/index.js';
import { Connection } from '../../sinks/postgres/connection.js';
import type { PostgresOptions } from '../../sinks/postgres/index.js';
import { makePostgresSink } from '../../sinks/postgres/make-sink.js';
import { asSinkError, errorKind } from '../../sinks/postgres/refusal.js';
import { Engine } from '../../src/engine/index.js';
import { isTailraceError, type Sink } from '../../src/kit/index.js';
import { Pipeline } from '../../src/pipeline/index.js';
import { type PostgresService, startPostgres, throwAwayDirectory } from '../services/index.js';
import { CommandRunner } from '../support/command-runner.js';
import { pluginContext } from '../support/plugin-context.js';
import { SinkBatches } from '../support/sink-batches.js';
import { waitUntil } from '../support/wait-until.js';

const { signal } = new AbortController();

it('takes a broken pipe for a lost connection, not for an answer of the server, whose codes are as long', () => {
  const broken = Object.assign(new Error('write EPIPE'), { code: 'EPIPE' });
  expect(errorKind(broken)).toBe('lost');
  expect(asSinkError(broken, 'postgres').code).toBe('SINK_UNREACHABLE');
});

it('ends at once when the files of its address are not there, or are no certificate and key', async () => {
  const url = `postgres://127.0.0.1:1/x?sslcert=${join('no', 'such', 'file.pem')}`;
  const missing: unknown = await Connection.open({ url, password: '', applicationName: '' }, signal).catch(
    (error: unknown) => error,
  );
  const unusable = ['Provider routines::bad decrypt', 'PEM routines::no start line'].map(
    (reason) => new Error(`error:1C800064:${reason}`),
  );
  for (const error of [missing, ...unusable])
    expect(asSinkError(error, 'postgres')).toMatchObject({
      code: 'SINK_REFUSED',
      remedy: expect.stringContaining('TLS'),
    });
});

describe('a postgres sink that is told to end', () => {
  it('gives up a connection that is being made', async () => {
    // In place of a Postgres: no real one can be held between taking a connection and its first word.
    const silent = createServer();
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    const { port } = silent.address() as AddressInfo;
    await using sink = makePostgresSink(
      {
        ...{ url: `postgres://127.0.0.1:${port}/x`, password: '', mode: 'mirror', schema: 'tailrace' },
        ...{
          table: 'changes',
          tables: [],
          keys: 'text',
          values: 'text',
          sync: 'always',
          writeTimeout: 60_000,
        },
      },
      pluginContext(),
    );
    const stop = new AbortController();
    const claiming = sink.claim(stop.signal);
    const [socket] = (await once(silent, 'connection')) as [Socket];
    stop.abort();
    await expect(claiming).rejects.toMatchObject({ code: 'SINK_UNREACHABLE' });
    socket.destroy();
    silent.close();
  });
});

describe('a postgres sink beside other sessions', () => {
  let service: PostgresService;
  let database: pg.Client;
  let engine: Engine;
  let commands: CommandRunner;
  let batches: SinkBatches;
  const settings = throwAwayDirectory('postgres-settings');
  const directory = throwAwayDirectory('postgres-errors');
  const sinks: Sink[] = [];

  beforeAll(async () => {
    const rules = join(settings.path, 'pg_hba.conf');
    writeFileSync(
      rules,
      [
        'host all careful 127.0.0.1/32 scram-sha-256',
        'local all careful scram-sha-256',
        'host all all 127.0.0.1/32 trust\n',
      ].join('\n'),
    );
    chmodSync(settings.path, 0o755);
    service = await startPostgres({ hba_file: rules });
    database = new pg.Client(service.url);
    await database.connect();
    await database.query(`CREATE ROLE careful LOGIN SUPERUSER PASSWORD 'right'`);
    engine = await Engine.open(directory.path, { sync: 'none' });
    commands = new CommandRunner(engine);
  });
  afterAll(async () => {
    await engine.close();
    await database.end();
    await service.stop();
    directory.remove();
    settings.remove();
  });
  beforeEach(async () => {
    await database.query('DROP SCHEMA IF EXISTS tailrace CASCADE');
    batches = new SinkBatches(engine);
  });
  afterEach(async () => {
    for (const sink of sinks.splice(0)) await sink[Symbol.asyncDispose]();
  });

  const url = (user: string): string => `postgres://${user}@127.0.0.1:${service.port}/postgres`;
  const open = (options: Partial<PostgresOptions> = {}, name?: string): Sink => {
    const sink = makePostgresSink(
      {
        ...{ url: url('careful'), password: 'right', mode: 'mirror', schema: 'tailrace', table: 'changes' },
        ...{ tables: [], keys: 'text', values: 'text', sync: 'always', writeTimeout: 60_000 },
        ...options,
      },
      { ...pluginContext(), ...(name === undefined ? {} : { sink: name }) },
    );
    sinks.push(sink);
    return sink;
  };
  const isSinkWaiting = async (): Promise<boolean> => {
    const { rows } = await database.query(
      `SELECT FROM pg_stat_activity WHERE usename = 'careful' AND wait_event_type = 'Lock'`,
    );
    return rows.length > 0;
  };
  const strings = async (): Promise<unknown[]> =>
    (await database.query('SELECT key, value FROM tailrace.strings ORDER BY key')).rows;

  it('ends a pipeline at once when the password is wrong, and does not show it', async () => {
    const pipeline = new Pipeline({
      name: 'orders',
      source: new EngineSource(engine),
      sinks: [{ name: 'postgres', sink: open({ password: 'hidden' }) }],
      log: pluginContext().log,
    });
    const error: unknown = await pipeline.run(signal).catch((caught: unknown) => caught);
    if (!isTailraceError(error, 'SINK_REFUSED')) throw error;
    expect(error.message).toContain('password authentication failed for user "careful"');
    expect(error.message).not.toContain('hidden');
    expect(error.remedy).toContain('password');
    expect(pipeline.status().sinks[0]).toMatchObject({ retries: 0 });
  });

  it('gives the password of its own option to a server behind a socket, whose address has no host', async () => {
    const { rows } = await database.query<{ path: string }>(
      `SELECT current_setting('unix_socket_directories') AS path`,
    );
    const socket = `host=${encodeURIComponent(rows[0].path)}&port=${service.port}`;
    for (const address of [
      `postgres://careful@/postgres?${socket}`,
      `postgres:///postgres?user=careful&${socket}`,
    ])
      expect(await open({ url: address }).claim(signal)).toMatchObject({ position: null });
  });

  it('says why a connection was lost while nothing was asked on it', async () => {
    const options = { url: url('careful'), password: 'right', applicationName: 'idle' };
    const connection = await Connection.open(options, signal);
    await database.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'idle'`,
    );
    await waitUntil('it is lost', () => connection.loss !== undefined);
    const told = 'terminating connection due to administrator command';
    await expect(connection.query('SELECT 1')).rejects.toThrow(told);
    await expect(connection.query('SELECT $1', [1])).rejects.toThrow(told);
    await connection.close();
  });

  it('sends nothing that the server would hang up at, and says that it is too large', async () => {
    const options = { url: url('careful'), password: 'right', applicationName: 'large' };
    const connection = await Connection.open(options, signal);
    const parameters = [1, 2, 3].map(() => ({ byteLength: 400 * 1024 * 1024, blocks: [] }));
    connection.ahead('BEGIN', { statement: 'SELECT $1::text[], $2::text[], $3::text[]', parameters });
    const error: unknown = await connection.commit().catch((caught: unknown) => caught);
    expect([errorKind(error), connection.loss]).toEqual(['data', undefined]);
    await connection.close();
  });

  it('tries again after a serialization failure', async () => {
    const sink = open();
    commands.run('SET', 'k', 'first');
    await sink.write(await batches.take(), await sink.claim(signal), signal);
    await database.query(`ALTER ROLE careful SET default_transaction_isolation = 'repeatable read'`);
    const claim = await sink.claim(signal);
    commands.run('SET', 'k', 'second');
    const batch = await batches.take();
    await database.query(`BEGIN; UPDATE tailrace.strings SET value = 'foreign'`);
    const writing = sink.write(batch, claim, signal);
    await waitUntil('the sink waits for the row', isSinkWaiting);
    await database.query('COMMIT');
    const outcome = await writing;
    if (outcome.kind !== 'retryable') throw new Error(outcome.kind);
    expect(outcome.error.message).toContain('could not serialize access');
    expect(await sink.write(batch, claim, signal)).toEqual({ kind: 'durable' });
    expect(await strings()).toEqual([{ key: 'k', value: 'second' }]);
    await database.query('ALTER ROLE careful RESET default_transaction_isolation');
  });

  it('tries again when it was chosen to end a deadlock', async () => {
    const sink = open();
    for (const key of ['a', 'b', 'c']) commands.run('SET', key, 'first');
    await database.query(`ALTER ROLE careful SET deadlock_timeout = '50ms'`);
    const claim = await sink.claim(signal);
    await sink.write(await batches.take(), claim, signal);
    for (const key of ['a', 'b', 'c']) commands.run('SET', key, 'second');
    const batch = await batches.take();
    const other = new pg.Client(service.url);
    await other.connect();
    // Who waits last is the one to find the deadlock: so the sink, that has a, is held up at b until the other waits for a.
    await database.query(`BEGIN; UPDATE tailrace.strings SET value = 'foreign' WHERE key = 'b'`);
    await other.query(
      `SET deadlock_timeout = '1h'; BEGIN; UPDATE tailrace.strings SET value = 'foreign' WHERE key = 'c'`,
    );
    const writing = sink.write(batch, claim, signal);
    await waitUntil('the sink has a and waits for b', isSinkWaiting);
    const waiting = other.query(`UPDATE tailrace.strings SET value = 'foreign' WHERE key = 'a'`);
    await waitUntil('the other waits for a', async () => {
      const { rows } = await database.query(
        `SELECT FROM pg_stat_activity WHERE usename = 'postgres' AND wait_event_type = 'Lock'`,
      );
      return rows.length > 0;
    });
    await database.query('ROLLBACK');
    const outcome = await writing;
    if (outcome.kind !== 'retryable') throw new Error(outcome.kind);
    expect(outcome.error.message).toContain('deadlock detected');
    await waiting;
    await other.query('ROLLBACK');
    await other.end();
    expect(await sink.write(batch, claim, signal)).toEqual({ kind: 'durable' });
    expect(await strings()).toEqual(
      expect.arrayContaining(['a', 'b', 'c'].map((key) => ({ key, value: 'second' }))),
    );
    await database.query('ALTER ROLE careful RESET deadlock_timeout');
  });

  it('lets two sinks of one pipeline write to one table, each with a position of its own', async () => {
    const [first, second] = [open({ mode: 'changelog' }, 'orders'), open({ mode: 'changelog' }, 'users')];
    const claims = [await first.claim(signal), await second.claim(signal)];
    commands.run('SET', 'order:1', 'v');
    const order = await batches.take();
    commands.run('SET', 'user:1', 'v');
    const user = { ...(await batches.take()), previous: null };
    for (const { sink, batch, claim } of [
      { sink: first, batch: order, claim: claims[0] },
      { sink: second, batch: user, claim: claims[1] },
    ])
      expect(await sink.write(batch, claim, signal)).toEqual({ kind: 'durable' });
    expect((await first.claim(signal)).position).toEqual(order.position);
    expect((await second.claim(signal)).position).toEqual(user.position);
    const { rows } = await database.query('SELECT key FROM tailrace.changes ORDER BY seq');
    expect(rows.slice(-2)).toEqual([{ key: 'order:1' }, { key: 'user:1' }]);
  });
});
