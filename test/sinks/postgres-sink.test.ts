import { beforeAll, describe, expect, it } from 'vitest';
import type { PostgresOptions } from '../../sinks/postgres/index.js';
import { makePostgresSink } from '../../sinks/postgres/make-sink.js';
import { isTailraceError, type Sink, type SinkBatch, type TailraceError } from '../../src/kit/index.js';
import { freePort } from '../services/index.js';
import { pluginContext } from '../support/plugin-context.js';
import { TcpProxy } from '../support/tcp-proxy.js';
import { TestPostgres } from '../support/test-postgres.js';
import { TestSource } from '../support/test-source.js';
import { waitUntil } from '../support/wait-until.js';

const { signal } = new AbortController();

describe('the postgres sink', () => {
  const postgres = new TestPostgres('DROP SCHEMA IF EXISTS tailrace CASCADE');
  const source = new TestSource();

  beforeAll(() => postgres.client.query(`CREATE ROLE writer LOGIN PASSWORD 'secret'`));

  const open = (options: Partial<PostgresOptions> = {}): Sink => {
    return source.own(
      makePostgresSink(
        {
          ...{
            url: postgres.url,
            password: '',
            mode: 'changelog',
            schema: 'tailrace',
            table: 'changes',
            tables: [],
          },
          ...{ keys: 'text', values: 'text', sync: 'always', writeTimeout: 10_000 },
          ...options,
        },
        pluginContext(),
      ),
    );
  };
  const rows = (statement: string): Promise<unknown[]> => postgres.rows(statement);
  const errorOf = async (claiming: Promise<unknown>): Promise<TailraceError> => {
    const error: unknown = await claiming.catch((caught: unknown) => caught);
    if (!isTailraceError(error)) throw new Error(`not refused: ${String(error)}`);
    return error;
  };
  const statementsIn = ({ remedy }: TailraceError): string =>
    remedy.replace('Let an administrator run: ', '');
  const someBatch = async (key = 'k'): Promise<SinkBatch> => {
    source.run('SET', key, 'v');
    source.run('RPUSH', 'l', key);
    return await source.take();
  };

  it('keeps each change as a row, with what it has in typed columns', async () => {
    const sink = open();
    const claim = await sink.claim(signal);
    source.run('SET', 's', 'v', 'PXAT', 4_000_000_000_123);
    source.run('HSET', 'h', 'f', 'ü');
    source.run('ZADD', 'z', '1.5', 'm');
    source.run('RPUSH', 'l', 'a');
    source.run('LPOP', 'l');
    source.run('XADD', 'x', '5-1', 'name', 'Ada');
    source.run('SETBIT', 'b', 7, 1);
    expect(await sink.write(await source.take(), claim, signal)).toEqual({ kind: 'durable' });
    const told = await rows(
      `SELECT op, type, key, field, value, score, extract(epoch FROM ttl_at)::text, details
      FROM tailrace.changes WHERE type <> 'key' ORDER BY tx_first, index`,
    );
    expect(told).toEqual([
      ['put', 'string', 's', null, 'v', null, '4000000000.123000', null],
      ['put', 'hash', 'h', 'f', 'ü', null, null, null],
      ['put', 'zset', 'z', 'm', null, 1.5, null, null],
      ['push', 'list', 'l', null, 'a', null, null, { side: 'tail' }],
      ['put', 'stream', 'x', '5-1', null, null, null, { fields: ['name', 'Ada'] }],
      ['put', 'bitmap', 'b', null, null, null, null, { offset: 0, value: { base64: 'AQ==' } }],
    ]);
  });

  it.each(['text', 'bytea'] as const)(
    'writes a batch of one SET like any other change, as %s',
    async (type) => {
      const sink = open({ keys: type, values: type });
      const claim = await sink.claim(signal);
      const value = 'ü'.repeat(50_000); // becomes a block of its own
      for (const [key, content] of [
        ['kü', 'v'],
        ['', ''],
        ['large', value],
      ])
        source.run('SET', key, content);
      const batch = await source.take();
      // The same changes again, as the decoder tells them of batches with more in them.
      const further = batch.transactions.map((one) => ({
        ...{ first: one.first + 100, last: one.last + 100, count: 1, bytes: one.bytes, undecodable: [] },
        changes: one.changes.map((change) => ({ ...change, seq: change.seq + 100 })),
      }));
      const transactions = [...batch.transactions, ...further];
      expect(await sink.write({ ...batch, transactions }, claim, signal)).toEqual({ kind: 'durable' });
      const told = (from: number): Promise<unknown[]> =>
        rows(`SELECT seq - ${from}, index, tx_first - ${from}, tx_last - ${from}, ns, op, type, key, field, value, score, ttl_at, details
        FROM tailrace.changes WHERE seq >= ${from} AND seq < ${from} + 100 ORDER BY seq`);
      expect(await told(0)).toHaveLength(3);
      expect(await told(100)).toEqual(await told(0));
    },
  );

  it.each([
    ['COMMIT was carried out', true],
    ['nothing was', false],
  ])('does not guess when the connection is lost: the next claim tells that %s', async (_, isCommitted) => {
    await using proxy = await TcpProxy.open(postgres.service.port);
    const sink = open({ url: `postgres://postgres@127.0.0.1:${proxy.port}/postgres` });
    const claim = await sink.claim(signal);
    const batch = await someBatch();
    if (isCommitted) {
      const hasRows = async (): Promise<boolean> => (await rows('SELECT FROM tailrace.changes')).length > 0;
      const writing = sink.write(batch, claim, signal);
      // Every reply arrives but that of COMMIT.
      proxy.onReply = (reply) => {
        if (reply.includes('COMMIT')) proxy.holdReplies();
      };
      await waitUntil('the rows are there', hasRows);
      proxy.onReply = () => undefined;
      proxy.cut();
      expect((await writing).kind).toBe('unknown');
    } else {
      proxy.stall();
      const writing = sink.write(batch, claim, signal);
      proxy.cut();
      expect((await writing).kind).toBe('unknown');
    }
    proxy.releaseReplies();
    proxy.resume();
    const again = await sink.claim(signal);
    expect(again.position).toEqual(isCommitted ? batch.position : null);
    if (!isCommitted) expect(await sink.write(batch, again, signal)).toEqual({ kind: 'durable' });
    expect(await rows("SELECT count(*)::int FROM tailrace.changes WHERE type <> 'key'")).toEqual([[2]]);
  });

  it('gives up a write that does not end, and the connection with it', async () => {
    await using proxy = await TcpProxy.open(postgres.service.port);
    const sink = open({ url: `postgres://postgres@127.0.0.1:${proxy.port}/postgres`, writeTimeout: 2_000 });
    const claim = await sink.claim(signal);
    proxy.stall();
    expect(await sink.write(await someBatch(), claim, signal)).toMatchObject({
      kind: 'unknown',
      error: { message: 'no answer within 2000 ms' },
    });
  });

  it('gives up a server that is gone without a word: in a claim, between writes, and at the end', async () => {
    await using proxy = await TcpProxy.open(postgres.service.port);
    const url = `postgres://postgres@127.0.0.1:${proxy.port}/postgres`;
    const sink = open({ url, writeTimeout: 2_000, sync: 'interval' });
    proxy.stallAfter(400); // the login gets through
    expect((await errorOf(sink.claim(signal))).code).toBe('SINK_UNREACHABLE');
    proxy.cut();
    proxy.resume();
    const claim = await sink.claim(signal);
    const outcome = await sink.write(await someBatch(), claim, signal);
    proxy.stall();
    if (outcome.kind !== 'accepted') throw new Error(outcome.kind);
    await expect(outcome.durable).rejects.toThrow();
    proxy.cut();
    proxy.resume();
    await sink.claim(signal);
    proxy.stall();
    await sink[Symbol.asyncDispose]();
  });

  it('takes over from a process that stands in the middle of a transaction, and undoes what it had done', async () => {
    await using proxy = await TcpProxy.open(postgres.service.port);
    const first = open({ url: `postgres://postgres@127.0.0.1:${proxy.port}/postgres` });
    const claim = await first.claim(signal);
    source.run('SET', 'large', Buffer.alloc(200_000, 'x'));
    const batch = await someBatch();
    proxy.stallAfter(100_000); // in the middle of the rows: it holds the position's row, and is heard of no more
    const writing = first.write(batch, claim, signal);
    await waitUntil('the first stands', async () => {
      const waiting = await rows(
        `SELECT FROM pg_stat_activity WHERE query LIKE '%COPY%' AND wait_event = 'ClientRead'`,
      );
      return waiting.length === 1;
    });
    const second = open();
    const taken = await second.claim(signal);
    expect(taken).toEqual({ epoch: 2, position: null });
    expect(await second.write(batch, taken, signal)).toEqual({ kind: 'durable' });
    proxy.resume();
    expect(['unknown', 'fenced']).toContain((await writing).kind);
    // It asks how its write ended, and does not take over again by asking.
    expect((await errorOf(first.claim(signal))).code).toBe('SINK_FENCED');
    expect(await second.write(await someBatch('later'), taken, signal)).toEqual({ kind: 'durable' });
    expect(await rows("SELECT count(*)::int FROM tailrace.changes WHERE type <> 'key'")).toEqual([[5]]);
  });

  it('tries again what the server puts off', async () => {
    const sink = open();
    const claim = await sink.claim(signal);
    await sink[Symbol.asyncDispose]();
    await postgres.client.query(`ALTER ROLE postgres SET lock_timeout = '100ms'`);
    const again = await sink.claim(signal);
    await postgres.client.query('BEGIN; LOCK TABLE tailrace.changes');
    const batch = await someBatch();
    expect((await sink.write(batch, again, signal)).kind).toBe('retryable');
    await postgres.client.query('ROLLBACK; ALTER ROLE postgres RESET lock_timeout');
    expect(await sink.write(batch, again, signal)).toEqual({ kind: 'durable' });
    expect(again.epoch).toBe(claim.epoch + 1);
  });

  it('claims again after an administrator ended its session', async () => {
    const sink = open();
    const claim = await sink.claim(signal);
    await postgres.client.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'tailrace%'`,
    );
    const batch = await someBatch();
    expect((await sink.write(batch, claim, signal)).kind).toBe('unknown');
    expect(await sink.write(batch, await sink.claim(signal), signal)).toEqual({ kind: 'durable' });
  });

  it('makes commits durable together, and says when they are', async () => {
    const sink = open({ sync: 'interval' });
    const claim = await sink.claim(signal);
    const outcomes = [];
    for (let i = 0; i < 3; i++) outcomes.push(await sink.write(await someBatch(`k${i}`), claim, signal));
    for (const outcome of outcomes) {
      if (outcome.kind !== 'accepted') throw new Error(outcome.kind);
      await outcome.durable;
    }
    const last = await sink.write(await someBatch('last'), claim, signal);
    if (last.kind !== 'accepted') throw new Error(last.kind);
    await sink[Symbol.asyncDispose]();
    await expect(last.durable).rejects.toThrow('closed');
  });

  it('names what is no text, and what is too large for a row', async () => {
    const sink = open();
    const claim = await sink.claim(signal);
    source.run('SET', 'a', Buffer.from([0xc3, 0x28]));
    source.run('SET', Buffer.from('nul\0'), 'v');
    source.run('SET', 'large', 'v');
    source.run('XADD', 'entry', '1-1', 'f', 'v');
    const batch = await source.take();
    const [string, entry] = batch.transactions.slice(2).map(({ changes }) => changes.at(-1));
    const large = { ...string, value: Buffer.allocUnsafeSlow(0x4000_0000) };
    const largeEntry = { ...entry, fields: [Buffer.from('f'), Buffer.allocUnsafeSlow(0x2000_0000)] };
    const transactions = batch.transactions.map((transaction, at) =>
      at < 2 ? transaction : { ...transaction, changes: [at === 2 ? large : largeEntry] },
    ) as SinkBatch['transactions'];
    const outcome = await open({ values: 'bytea' })
      .claim(signal)
      .catch((error: unknown) => error);
    expect(isTailraceError(outcome, 'SINK_REFUSED')).toBe(true); // the table was made with text
    expect(await sink.write({ ...batch, transactions }, claim, signal)).toMatchObject({
      kind: 'poison',
      rejections: [
        { transaction: 0, change: 0, reason: expect.stringContaining('set values to bytea') },
        { transaction: 1, change: 0, reason: expect.stringContaining('set keys to bytea') },
        { transaction: 2, change: 0 },
        { transaction: 3, change: 0, reason: expect.stringContaining('of its fields') },
      ],
    });
    expect(await rows('SELECT FROM tailrace.changes')).toEqual([]);
  });

  it('ends at once when the password or the database is wrong, and does not show the password', async () => {
    const address = `127.0.0.1:${postgres.service.port}`;
    const noDatabase = await errorOf(open({ url: `postgres://postgres@${address}/nowhere` }).claim(signal));
    expect([noDatabase.code, noDatabase.message]).toEqual([
      'SINK_REFUSED',
      expect.stringContaining('nowhere'),
    ]);
    const noUser = await errorOf(open({ url: `postgres://nobody:hidden@${address}/postgres` }).claim(signal));
    expect([noUser.code, noUser.message]).toEqual(['SINK_REFUSED', expect.not.stringContaining('hidden')]);
  });

  it('says which right is missing, and what an administrator may run', async () => {
    const url = `postgres://writer@127.0.0.1:${postgres.service.port}/postgres`;
    const first = await errorOf(open({ url, password: 'secret' }).claim(signal));
    expect(first.code).toBe('SINK_REFUSED');
    await postgres.client.query(statementsIn(first));
    const sink = open({ url, password: 'secret' });
    const claim = await sink.claim(signal);
    await postgres.client.query('ALTER TABLE tailrace.changes OWNER TO postgres');
    const outcome = await sink.write(await someBatch(), claim, signal);
    if (outcome.kind !== 'fatal') throw new Error(outcome.kind);
    expect(isTailraceError(outcome.error, 'SINK_REFUSED')).toBe(true);
    expect(outcome.error.message).toContain('permission denied for table changes');
  });

  it('writes to tables that an administrator makes as it says, without the right to make any', async () => {
    const url = `postgres://writer@127.0.0.1:${postgres.service.port}/postgres`;
    await postgres.client.query('CREATE SCHEMA tailrace');
    for (let made = 0; made < 2; made++) {
      const [, toMake] = statementsIn(await errorOf(open({ url }).claim(signal))).split('; or: ');
      await postgres.client.query(toMake);
    }
    const sink = open({ url });
    expect(await sink.write(await someBatch(), await sink.claim(signal), signal)).toEqual({
      kind: 'durable',
    });
  });

  it('says that it cannot reach the server, so that the pipeline tries again', async () => {
    const error = await errorOf(
      open({ url: `postgres://postgres@127.0.0.1:${await freePort()}/x` }).claim(signal),
    );
    expect(error.code).toBe('SINK_UNREACHABLE');
    const stop = new AbortController();
    await using proxy = await TcpProxy.open(postgres.service.port);
    proxy.stall();
    const claiming = open({ url: `postgres://postgres@127.0.0.1:${proxy.port}/postgres` }).claim(stop.signal);
    stop.abort();
    expect((await errorOf(claiming)).code).toBe('SINK_UNREACHABLE');
  });

  it('does not mix two histories in one changelog', async () => {
    const sink = open();
    const batch = await someBatch();
    await sink.write(batch, await sink.claim(signal), signal);
    await postgres.client.query('DELETE FROM tailrace.positions');
    const outcome = await sink.write(batch, await sink.claim(signal), signal);
    if (outcome.kind !== 'fatal') throw new Error(outcome.kind);
    expect(isTailraceError(outcome.error, 'HISTORY_MISMATCH')).toBe(true);
  });

  it('does not go on with a new table in place of one that held what was written', async () => {
    const claim = await open().claim(signal);
    expect(claim.position).toBeNull();
    const sink = open();
    await sink.write(await someBatch(), await sink.claim(signal), signal);
    await postgres.client.query('ALTER TABLE tailrace.changes RENAME TO away');
    const refused = await errorOf(open().claim(signal));
    expect(refused).toMatchObject({ code: 'SINK_REFUSED' });
    expect(refused.message).toContain('tailrace.changes is missing');
    expect(await open().check?.(signal)).toContainEqual(
      expect.objectContaining({ name: 'position', status: 'fail', detail: refused.message }),
    );
    await postgres.client.query('ALTER TABLE tailrace.away RENAME TO changes');
    expect((await open().claim(signal)).position).not.toBeNull();
    // What the remedy says.
    await postgres.client.query('DROP TABLE tailrace.changes');
    await postgres.client.query(`DELETE FROM tailrace.positions WHERE pipeline = 'orders'`);
    expect((await open().claim(signal)).position).toBeNull();
  });

  it('does not blame the changes when a column was given another type under it', async () => {
    const sink = open();
    const claim = await sink.claim(signal);
    await postgres.client.query('ALTER TABLE tailrace.changes ALTER COLUMN seq TYPE int');
    expect(await sink.write(await someBatch(), claim, signal)).toMatchObject({
      kind: 'fatal',
      error: { code: 'SINK_REFUSED', remedy: expect.stringContaining('the tables') },
    });
    expect((await errorOf(sink.claim(signal))).message).toContain('seq');
  });

  it('is looked at by the doctor without being claimed', async () => {
    const url = `postgres://writer@127.0.0.1:${postgres.service.port}/postgres`;
    const told = async (options: Partial<PostgresOptions>) =>
      (await open(options).check?.(signal))?.map(
        ({ name, status, detail }) => `${status} ${name}: ${detail}`,
      );
    expect(await told({ url })).toEqual([
      expect.stringMatching(/^ok connection: postgres:.*as user writer$/),
      expect.stringMatching(/^ok version: PostgreSQL \d/),
      'ok writes: the server takes writes',
      'fail permissions: tailrace.positions is not there, and the user may not make it',
      'fail permissions: tailrace.changes is not there, and the user may not make it',
    ]);
    await open().claim(signal);
    expect((await told({}))?.slice(3)).toEqual([
      'ok permissions: tailrace.positions can be written',
      'ok permissions: tailrace.changes can be written',
      expect.stringMatching(/^ok position: .* is at sequence number 0$/),
    ]);
    await postgres.client.query('GRANT USAGE ON SCHEMA tailrace TO writer');
    expect((await told({ url }))?.at(-1)).toBe(
      'fail permissions: tailrace.changes may not be written by the user',
    );
    expect(await rows('SELECT epoch FROM tailrace.positions')).toEqual([['1']]);
    const address = `127.0.0.1:${await freePort()}`;
    expect(await told({ url: `postgres://postgres@${address}/x` })).toEqual([
      expect.stringContaining(`fail connection: cannot use postgres://${address}/x`),
    ]);
  });

  it('takes names that need quotes', async () => {
    const sink = open({ schema: 'tail"race; DROP', table: "ch'anges" });
    const claim = await sink.claim(signal);
    expect(await sink.write(await someBatch(), claim, signal)).toEqual({ kind: 'durable' });
    expect(await rows(`SELECT count(*) > 1 FROM "tail""race; DROP"."ch'anges"`)).toEqual([[true]]);
    await postgres.client.query('DROP SCHEMA "tail""race; DROP" CASCADE');
  });
});
