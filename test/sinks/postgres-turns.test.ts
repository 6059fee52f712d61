import { expect, it } from 'vitest';
import type { PostgresOptions } from '../../sinks/postgres/index.js';
import { layoutOf, makePostgresSink } from '../../sinks/postgres/make-sink.js';
import type { Change, Transaction } from '../../src/kit/index.js';
import { pluginContext } from '../support/plugin-context.js';
import { TestPostgres } from '../support/test-postgres.js';

const signal = new AbortController().signal;
const count = 100_000;
const postgres = new TestPostgres('DROP SCHEMA IF EXISTS tailrace CASCADE');

/** One that puts a field into each of so many hashes, or each of so many fields into one; or hands out so many entries. */
const large = (what: 'hashes' | 'fields' | 'deliveries'): Transaction => {
  const changes = Array.from({ length: count }, (_, at): Change => {
    if (what === 'deliveries') {
      const command = ['XCLAIM', 'user:0', 'g', 'c', '0', `${at}-1`, 'TIME', '1', 'RETRYCOUNT', '1'];
      const key = Buffer.from('user:0');
      return { seq: 1 + at, index: at, ns: 'default', op: 'streamMeta', type: 'stream', key, command };
    }
    const [key, field] = what === 'hashes' ? [`user:${at}`, 'name'] : ['user:0', `name${at}`];
    const words = { key: Buffer.from(key), field: Buffer.from(field), value: Buffer.from(String(at)) };
    return { seq: 1 + at, index: at, ns: 'default', op: 'put', type: 'hash', ...words };
  });
  return { first: 1, last: count, count, bytes: Buffer.alloc(0), changes, undecodable: [] };
};

const users = {
  keys: 'user:{id}',
  table: 'tailrace.users',
  key: { id: 'bigint' },
  columns: { name: 'text' },
};

it.each<['hashes' | 'fields' | 'deliveries', Pick<PostgresOptions, 'mode'>, string]>([
  ['hashes', { mode: 'changelog' }, 'changes'],
  ['hashes', { mode: 'mirror' }, 'hashes'],
  ['fields', { mode: 'mirror' }, 'hashes'],
  ['deliveries', { mode: 'mirror' }, 'stream_pending'],
  ['hashes', { mode: 'table' }, 'users'],
])('many %s in one transaction are encoded in turns, and written whole: %o', async (what, mode, table) => {
  const options: PostgresOptions = {
    ...{ url: postgres.url, password: '', schema: 'tailrace', table: 'changes' },
    ...{ tables: [users], keys: 'text', values: 'text', sync: 'always', writeTimeout: 60_000 },
    ...mode,
  };
  const transactions = [large(what)];
  let isEncoded = false;
  const encoding = layoutOf(options)
    .encode(transactions)
    .finally(() => {
      isEncoded = true;
    });
  let turns = 0;
  for (; !isEncoded; turns++) await new Promise((resolve) => setImmediate(resolve));
  expect((await encoding).rejections).toEqual([]);
  expect(turns).toBeGreaterThan(2);
  await using sink = makePostgresSink(options, pluginContext());
  const claim = await sink.claim(signal);
  const batch = {
    transactions,
    position: { sequence: count, count, crc: 0 },
    previous: null,
    byteLength: 0,
  };
  sink.prepare?.(transactions);
  expect(await sink.write(batch, claim, signal)).toEqual({ kind: 'durable' });
  expect(await postgres.rows(`SELECT count(*)::int FROM tailrace.${table}`)).toEqual([[count]]);
});
