import { describe, expect, it } from 'vitest';
import type { PostgresOptions } from '../../sinks/postgres/index.js';
import { makePostgresSink } from '../../sinks/postgres/make-sink.js';
import { batchCount, batchSequence, Decoder, type Position, positionOf } from '../../src/kit/index.js';
import { readHistoryBatches, readHistoryState } from '../data-model/captured-history.js';
import { CommandRunner } from '../support/command-runner.js';
import { readMirrorState } from '../support/mirror-state.js';
import { pluginContext } from '../support/plugin-context.js';
import { SeededRandom } from '../support/seeded-random.js';
import { TestPostgres } from '../support/test-postgres.js';
import { TestSource } from '../support/test-source.js';

const { signal } = new AbortController();

describe('the mirror in a Postgres', () => {
  const postgres = new TestPostgres('DROP SCHEMA IF EXISTS mirror CASCADE');
  const source = new TestSource();

  const open = (options: Partial<PostgresOptions> = {}) =>
    makePostgresSink(
      {
        ...{ url: postgres.url, password: '', mode: 'mirror', schema: 'mirror', table: '', tables: [] },
        ...{ keys: 'text', values: 'text', sync: 'interval', writeTimeout: 60_000 },
        ...options,
      },
      pluginContext(),
    );
  const rows = (statement: string): Promise<unknown[]> => postgres.rows(statement);

  it('keeps a second pipeline out of its schema, whoever comes first', async () => {
    const other = (pipeline: string) =>
      makePostgresSink(
        {
          ...{ url: postgres.url, password: '', mode: 'mirror', schema: 'mirror', table: '', tables: [] },
          ...{ keys: 'text', values: 'text', sync: 'interval', writeTimeout: 60_000 },
        },
        pluginContext(pipeline),
      );
    const refused = { code: 'SINK_REFUSED', message: expect.stringContaining('belongs to pipeline') };
    await using first = open();
    await using second = other('second');
    await first.claim(signal);
    await expect(second.claim(signal)).rejects.toMatchObject(refused);
    // The refused one left nothing behind that would keep the owner out.
    const claim = await first.claim(signal);
    source.run('SET', 'a', '1');
    expect(await first.write(await source.take(), claim, signal)).toMatchObject({ kind: 'accepted' });
    await expect(second.claim(signal)).rejects.toMatchObject(refused);
    await first.claim(signal);
    await postgres.client.query('DELETE FROM mirror.positions');
    expect((await second.claim(signal)).position).toBeNull();
    // One that ended before it wrote anything does not keep them for itself.
    await second[Symbol.asyncDispose]();
    await using third = other('third');
    expect((await third.claim(signal)).position).toBeNull();
  });

  it.each([0, 0.05])(
    'holds what a real Kvrocks held after 12,000 random commands, when the decoder restarts %f of the time',
    async (restarts) => {
      const random = SeededRandom.fromEnvironment('cuts of the history');
      await using sink = open({ keys: 'bytea', values: 'bytea' });
      const claim = await sink.claim(signal);
      let decoder = new Decoder();
      let previous: Position | null = null;
      const history = readHistoryBatches();
      for (let from = 0; from < history.length; ) {
        let to = Math.min(history.length, from + 1 + random.below(random.next() < 0.5 ? 10 : 1500));
        // A write ends with a batch that counts: others have no position.
        while (to < history.length && batchCount(history[to - 1]) === 0) to++;
        if (random.next() < restarts) decoder = new Decoder();
        const taken = history.slice(from, to);
        const bytes = taken.findLast((batch) => batchCount(batch) > 0);
        if (bytes === undefined) break; // the history ends with batches that write nothing
        const position = positionOf({ sequence: batchSequence(bytes), count: batchCount(bytes), bytes });
        const transactions = taken.map((batch) => decoder.decode(batch));
        const outcome = await sink.write({ transactions, position, previous, byteLength: 0 }, claim, signal);
        expect(outcome).toMatchObject({ kind: expect.stringMatching(/durable|accepted/) });
        previous = position;
        from = to;
      }
      const expected = readHistoryState();
      const actual = await readMirrorState(postgres.client, 'mirror');
      for (const [key, { type, pexpireat, value }] of actual) {
        const wanted = expected.get(key);
        // Expired keys go from Kvrocks in silence; in the mirror they stand with their expiry.
        if (wanted === undefined)
          expect(pexpireat ?? Number.POSITIVE_INFINITY, key).toBeLessThan(capturedUntilMs);
        else {
          const shown = type === 'ReJSON-RL' ? JSON.parse(String(wanted.value)) : wanted.value;
          expect({ type, pexpireat, value }, key).toEqual({
            type: wanted.type,
            pexpireat: wanted.pexpireat,
            value: shown,
          });
        }
      }
      expect([...expected.keys()].filter((key) => !actual.has(key))).toEqual([]);
    },
  );

  it('folds a batch to what it leads to, whatever the types were on the way', async () => {
    await using sink = open();
    const claim = await sink.claim(signal);
    source.run('SET', 'a', 'string');
    source.run('HSET', 'h', 'f', '1', 'g', '2');
    source.run('RPUSH', 'l', '1', '2', '3');
    source.run('EXPIRE', 'h', 100_000);
    await sink.write(await source.take(), claim, signal);
    source.run('DEL', 'a');
    source.run('SADD', 'a', 'now a set');
    source.run('SET', 'h', 'now a string');
    source.run('LPOP', 'l');
    source.run('LPUSH', 'l', '0');
    source.run('LSET', 'l', -1, 'last');
    source.run('ZADD', 'z', '1.5', 'm');
    source.run('ZREM', 'z', 'm');
    await sink.write(await source.take(), claim, signal);
    expect(await rows('SELECT key, value, expires_at FROM mirror.strings')).toEqual([
      ['h', 'now a string', null],
    ]);
    expect(await rows('SELECT key, member FROM mirror.sets')).toEqual([['a', 'now a set']]);
    expect(await rows('SELECT value FROM mirror.lists ORDER BY position')).toEqual([['0'], ['2'], ['last']]);
    expect(await rows('SELECT key, type, expires_at FROM mirror.collections ORDER BY key')).toEqual([
      ['a', 'set', null],
      ['l', 'list', null],
    ]);
    expect(
      await rows(
        'SELECT * FROM mirror.hashes UNION ALL SELECT ns, key, member, NULL FROM mirror.sorted_sets',
      ),
    ).toEqual([]);
  });

  it('keeps the groups of streams, their consumers and what is pending', async () => {
    await using sink = open();
    const claim = await sink.claim(signal);
    const groups = `SELECT key, group_name, last_ms || '-' || last_seq FROM mirror.stream_groups ORDER BY 1, 2`;
    const consumers = 'SELECT group_name, consumer FROM mirror.stream_consumers ORDER BY 1, 2';
    const pending = `SELECT group_name, ms || '-' || seq, consumer, deliveries::int FROM mirror.stream_pending ORDER BY 1, ms, seq`;
    for (const id of ['1-0', '2-0', '3-0']) source.run('XADD', 's', id, 'f', 'v');
    source.run('XGROUP', 'CREATE', 's', 'g', '0');
    source.run('XGROUP', 'CREATE', 's', 'other', '$');
    source.run('XGROUP', 'CREATECONSUMER', 's', 'other', 'idle');
    source.run('XREADGROUP', 'GROUP', 'g', 'ann', 'COUNT', 2, 'STREAMS', 's', '>');
    source.run('XREADGROUP', 'GROUP', 'g', 'bob', 'STREAMS', 's', '>');
    await sink.write(await source.take(), claim, signal);
    expect(await rows(groups)).toMatchObject([
      ['s', 'g', '3-0'],
      ['s', 'other', '3-0'],
    ]);
    expect(await rows(consumers)).toEqual([
      ['g', 'ann'],
      ['g', 'bob'],
      ['other', 'idle'],
    ]);
    expect(await rows(pending)).toEqual([
      ['g', '1-0', 'ann', 1],
      ['g', '2-0', 'ann', 1],
      ['g', '3-0', 'bob', 1],
    ]);
    source.run('XACK', 's', 'g', '1-0');
    source.run('XCLAIM', 's', 'g', 'bob', 0, '2-0');
    source.run('XGROUP', 'DELCONSUMER', 's', 'g', 'ann');
    source.run('XGROUP', 'SETID', 's', 'g', '2-0');
    source.run('XGROUP', 'DESTROY', 's', 'other');
    await sink.write(await source.take(), claim, signal);
    expect(await rows(groups)).toMatchObject([['s', 'g', '2-0']]);
    expect(await rows(consumers)).toEqual([['g', 'bob']]);
    expect(await rows(pending)).toEqual([
      ['g', '2-0', 'bob', 2],
      ['g', '3-0', 'bob', 1],
    ]);
    source.run('XGROUP', 'DESTROY', 's', 'g');
    source.run('XGROUP', 'CREATE', 's', 'g', '1-0');
    await sink.write(await source.take(), claim, signal);
    expect([await rows(groups), await rows(consumers), await rows(pending)]).toMatchObject([
      [['s', 'g', '1-0']],
      [],
      [],
    ]);
    source.run('DEL', 's');
    source.run('XADD', 's', '9-0', 'f', 'v');
    await sink.write(await source.take(), claim, signal);
    expect(await rows(groups)).toEqual([]);
    source.run('XGROUP', 'CREATE', 's', Buffer.from([0xff]), '0');
    expect(await sink.write(await source.take(), claim, signal)).toMatchObject({
      kind: 'poison',
      rejections: [{ reason: expect.stringContaining('the name of a group or consumer is no text') }],
    });
  });

  it('changes an expiry alone, of strings and of collections', async () => {
    await using sink = open();
    const claim = await sink.claim(signal);
    source.run('SET', 's', 'v');
    source.run('HSET', 'h', 'f', 'v');
    await sink.write(await source.take(), claim, signal);
    source.run('PEXPIREAT', 's', 4_000_000_000_123);
    source.run('PEXPIREAT', 'h', 4_000_000_000_456);
    await sink.write(await source.take(), claim, signal);
    const expiries = `SELECT key, extract(epoch FROM expires_at)::text FROM mirror.strings
      UNION ALL SELECT key, extract(epoch FROM expires_at)::text FROM mirror.collections`;
    expect(await rows(expiries)).toEqual([
      ['s', '4000000000.123000'],
      ['h', '4000000000.456000'],
    ]);
    source.run('PERSIST', 's');
    source.run('PERSIST', 'h');
    await sink.write(await source.take(), claim, signal);
    expect(await rows(expiries)).toEqual([
      ['s', null],
      ['h', null],
    ]);
  });

  it('empties the namespace that is cleared, and no other', async () => {
    await using sink = open();
    const claim = await sink.claim(signal);
    const others = new CommandRunner(source.engine, 'others');
    for (const runner of [source, others]) {
      runner.run('SET', 's', 'v');
      runner.run('RPUSH', 'l', 'v');
    }
    await sink.write(await source.take(), claim, signal);
    source.run('SET', 'late', 'v');
    source.run('FLUSHDB');
    source.run('HSET', 'h', 'f', 'after');
    await sink.write(await source.take(), claim, signal);
    expect(
      await rows('SELECT ns, key FROM mirror.strings UNION ALL SELECT ns, key FROM mirror.lists'),
    ).toEqual([
      ['others', 's'],
      ['others', 'l'],
    ]);
    expect(await rows('SELECT ns, key, type FROM mirror.collections ORDER BY ns')).toEqual([
      ['default', 'h', 'hash'],
      ['others', 'l', 'list'],
    ]);
  });

  it('knows what is in the tables when it starts on them', async () => {
    source.run('HSET', 'k', 'f', 'v');
    const first = open();
    await first.write(await source.take(), await first.claim(signal), signal);
    await first[Symbol.asyncDispose]();
    source.run('SET', 'k', 'v');
    await using second = open();
    await second.write(await source.take(), await second.claim(signal), signal);
    expect(await rows('SELECT key FROM mirror.hashes UNION ALL SELECT key FROM mirror.collections')).toEqual(
      [],
    );
    expect(await rows('SELECT key FROM mirror.strings')).toEqual([['k']]);
  });

  it('names what its tables cannot hold', async () => {
    await using sink = open();
    const claim = await sink.claim(signal);
    source.run('SET', 'fine', 'v');
    source.run('SET', Buffer.from([0xff]), 'v');
    source.run('HSET', 'h', 'f', Buffer.from('with \0'));
    source.run('SADD', 's', Buffer.alloc(3_000, 'x'));
    source.run('JSON.SET', 'j', '$', '"\\u0000"');
    const batch = await source.take();
    const outcome = await sink.write(batch, claim, signal);
    if (outcome.kind !== 'poison') throw new Error(outcome.kind);
    expect(outcome.rejections.map(({ transaction, reason }) => [transaction, reason])).toEqual([
      [1, expect.stringContaining('set keys to bytea')],
      [2, expect.stringContaining('set values to bytea')],
      [3, expect.stringContaining('more than an index of Postgres holds')],
    ]);
    // What only the server can tell is found by trying.
    const kept = [...batch.transactions].filter((_, at) => ![1, 2, 3].includes(at));
    expect(await sink.write({ ...batch, transactions: kept }, claim, signal)).toMatchObject({
      kind: 'poison',
      rejections: [{ transaction: 1, reason: expect.stringContaining('unsupported Unicode escape') }],
    });
    const last = await sink.write({ ...batch, transactions: kept.slice(0, 1) }, claim, signal);
    expect(last).toMatchObject({ kind: expect.stringMatching(/durable|accepted/) });
  });
});

/** Keys that expired before the state was read are not in it. */
const capturedUntilMs = 1_795_240_000_000;
