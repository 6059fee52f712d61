import { describe, expect, it } from 'vitest';
import { type MappingOptions, postgresSink } from '../../sinks/postgres/index.js';
import { makePostgresSink } from '../../sinks/postgres/make-sink.js';
import { isTailraceError } from '../../src/kit/index.js';
import { pluginContext } from '../support/plugin-context.js';
import { TestPostgres } from '../support/test-postgres.js';
import { TestSource } from '../support/test-source.js';

const { signal } = new AbortController();
const users: MappingOptions = {
  keys: 'user:{id}',
  table: 'users',
  key: { id: 'bigint' },
  columns: { name: 'text', age: 'integer', joined: { field: 'joined at', type: 'timestamptz' } },
  expiresAt: 'expires_at',
};

describe('hashes as rows of tables', () => {
  const postgres = new TestPostgres(
    'DROP SCHEMA IF EXISTS tailrace CASCADE; DROP TABLE IF EXISTS users, orders CASCADE',
  );
  const source = new TestSource();

  const open = (...tables: MappingOptions[]) =>
    makePostgresSink(
      {
        ...{ url: postgres.url, password: '', mode: 'table', schema: 'tailrace', table: '', tables },
        ...{ keys: 'text', values: 'text', sync: 'always', writeTimeout: 10_000 },
      },
      pluginContext(),
    );
  const rows = (statement: string): Promise<unknown[]> => postgres.rows(statement);
  const people = () => rows('SELECT id, name, age FROM users ORDER BY id');

  it('inserts, updates the columns that changed, and deletes', async () => {
    await using sink = open(users);
    const claim = await sink.claim(signal);
    source.run('HSET', 'user:1', 'name', 'Ada', 'age', 36, 'joined at', '2024-05-06T07:08:09Z', 'other', 'x');
    source.run('HSET', 'user:2', 'name', 'Bob');
    source.run('HSET', 'elsewhere:3', 'name', 'nobody');
    expect(await sink.write(await source.take(), claim, signal)).toEqual({ kind: 'durable' });
    expect(await people()).toEqual([
      ['1', 'Ada', 36],
      ['2', 'Bob', null],
    ]);
    expect(await rows("SELECT joined AT TIME ZONE 'UTC' FROM users WHERE id = 1")).toHaveLength(1);

    source.run('HSET', 'user:1', 'age', 37);
    source.run('HDEL', 'user:1', 'joined at');
    source.run('HSET', 'user:2', 'age', 5);
    source.run('DEL', 'user:2');
    source.run('HSET', 'user:3', 'name', 'Cem');
    source.run('PEXPIREAT', 'user:3', 4_000_000_000_000);
    await sink.write(await source.take(), claim, signal);
    expect(await people()).toEqual([
      ['1', 'Ada', 37],
      ['3', 'Cem', null],
    ]);
    expect(
      await rows('SELECT joined, extract(epoch FROM expires_at)::bigint FROM users ORDER BY id'),
    ).toEqual([
      [null, null],
      [null, '4000000000'],
    ]);

    source.run('DEL', 'user:1');
    source.run('HSET', 'user:1', 'age', 1); // anew: the name is gone
    source.run('SET', 'user:3', 'no hash any more');
    await sink.write(await source.take(), claim, signal);
    expect(await people()).toEqual([['1', null, 1]]);
    source.run('FLUSHDB');
    await sink.write(await source.take(), claim, signal);
    expect(await people()).toEqual([]);
  });

  it('writes to a table of the user, with its own types and defaults', async () => {
    await postgres.client.query(
      `CREATE TABLE orders (shop varchar(20), number bigint, total numeric(10,2), paid boolean, noted timestamptz DEFAULT now(),
      PRIMARY KEY (shop, number))`,
    );
    await using sink = open({
      keys: '{shop}:order:{number}',
      table: 'public.orders',
      key: { number: 'bigint' },
      columns: { total: 'numeric', paid: 'boolean' },
    });
    const claim = await sink.claim(signal);
    source.run('HSET', 'rue:order:7', 'total', '12.345', 'paid', 'yes');
    await sink.write(await source.take(), claim, signal);
    expect(await rows('SELECT shop, number, total, paid, noted IS NOT NULL FROM orders')).toEqual([
      ['rue', '7', '12.35', true, true],
    ]);
  });

  it('refuses a table without the columns or the unique key, at the claim', async () => {
    await postgres.client.query(
      'CREATE TABLE users (id bigint, name text, age integer, joined timestamptz, expires_at timestamptz)',
    );
    const withoutKey: unknown = await open(users)
      .claim(signal)
      .catch((error: unknown) => error);
    expect(isTailraceError(withoutKey, 'SINK_REFUSED')).toBe(true);
    await postgres.client.query('ALTER TABLE users ADD PRIMARY KEY (id), DROP COLUMN age');
    const withoutColumn: unknown = await open(users)
      .claim(signal)
      .catch((error: unknown) => error);
    expect(isTailraceError(withoutColumn, 'SINK_REFUSED')).toBe(true);
    expect(String(withoutColumn)).toContain('age');
  });

  it('names the changes that no row can hold, those too that only the constraints of the table refuse', async () => {
    await postgres.client.query(
      `CREATE TABLE users (id bigint PRIMARY KEY, name text UNIQUE, age integer CHECK (age < 200), joined timestamptz,
      expires_at timestamptz)`,
    );
    await using sink = open(users);
    const claim = await sink.claim(signal);
    source.run('HSET', 'user:1', 'name', 'Ada', 'age', 36);
    source.run('HSET', 'user:01', 'name', 'twin');
    source.run('HSET', 'user:2', 'age', 'old');
    source.run('HSET', 'user:3', 'age', 3_000_000_000);
    source.run('HSET', 'user:4', 'name', 'Methuselah', 'age', 969);
    source.run('HSET', 'user:5', 'name', 'Eve');
    const batch = await source.take();
    const outcome = await sink.write(batch, claim, signal);
    if (outcome.kind !== 'poison') throw new Error(outcome.kind);
    expect(outcome.rejections.map(({ transaction, reason }) => [transaction, reason])).toEqual([
      [1, expect.stringContaining('{id} is no plain bigint')],
      [2, expect.stringContaining('age is no integer: "old"')],
      [3, expect.stringContaining('age is no integer')],
    ]);
    const rest = { ...batch, transactions: batch.transactions.filter((_, at) => ![1, 2, 3].includes(at)) };
    const second = await sink.write(rest, claim, signal);
    expect(second).toMatchObject({
      kind: 'poison',
      rejections: [{ transaction: 1, reason: expect.stringContaining('users_age_check') }],
    });
    const last = { ...rest, transactions: rest.transactions.filter((_, at) => at !== 1) };
    expect(await sink.write(last, claim, signal)).toEqual({ kind: 'durable' });
    expect(await people()).toEqual([
      ['1', 'Ada', 36],
      ['5', 'Eve', null],
    ]);
  });

  it('says in the pipeline file what is wrong with a mapping', () => {
    const { format } = postgresSink.schema.tables as { format: (value: unknown) => void };
    expect(() => format([users])).not.toThrow();
    expect(() => format([{ ...users, keys: 'user' }])).toThrow('no {capture}');
    expect(() => format([{ ...users, columns: { name: 'texts' } }])).toThrow('name cannot be a texts');
    expect(() => format([{ ...users, key: { nr: 'bigint' } }])).toThrow('has no capture {nr}');
    expect(() => format([{ ...users, expiresAt: 'age' }])).toThrow('named twice');
    expect(() => format([{ ...users, colums: {} }])).toThrow('unknown key colums');
    expect(() => format({})).toThrow('must be a list');
  });
});
