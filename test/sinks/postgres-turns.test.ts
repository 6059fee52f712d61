import { describe, expect, it } from 'vitest';
import type { PostgresOptions } from '../../sinks/postgres/index.js';
import { makePostgresSink } from '../../sinks/postgres/make-sink.js';
import type { Change, Sink, SinkBatch } from '../../src/kit/index.js';
import { pluginContext } from '../support/plugin-context.js';
import { TestPostgres } from '../support/test-postgres.js';
import { TestSource } from '../support/test-source.js';

const signal = new AbortController().signal;
const count = 100_000;

describe('the postgres sink, given a large transaction', () => {
  const postgres = new TestPostgres('DROP SCHEMA IF EXISTS tailrace CASCADE');
  const source = new TestSource();

  const open = (options: Partial<PostgresOptions>): Sink =>
    source.own(
      makePostgresSink(
        {
          ...{ url: postgres.url, password: '', mode: 'mirror', schema: 'tailrace', table: 'changes' },
          ...{ tables: [], keys: 'text', values: 'text', sync: 'always', writeTimeout: 60_000 },
          ...options,
        },
        pluginContext(),
      ),
    );

  /** One that puts a field into each of so many hashes, or each of so many fields into one. */
  const large = async (what: 'hashes' | 'fields'): Promise<SinkBatch> => {
    source.run('SET', 'x', 'x');
    const batch = await source.take();
    const [transaction] = batch.transactions;
    const changes = Array.from({ length: count }, (_, at): Change => {
      const [key, field] = what === 'hashes' ? [`user:${at}`, 'name'] : ['user:0', `name${at}`];
      const words = { key: Buffer.from(key), field: Buffer.from(field), value: Buffer.from(String(at)) };
      return { seq: 1 + at, index: at, ns: 'default', op: 'put', type: 'hash', ...words };
    });
    return { ...batch, transactions: [{ ...transaction, count, changes }] };
  };

  const users = {
    keys: 'user:{id}',
    table: 'tailrace.users',
    key: { id: 'bigint' },
    columns: { name: 'text' },
  };

  it.each([
    ['hashes', { mode: 'changelog' }, 'changes'],
    ['hashes', { mode: 'mirror' }, 'hashes'],
    ['fields', { mode: 'mirror' }, 'hashes'],
    ['hashes', { mode: 'table', tables: [users] }, 'users'],
  ] as const)(
    'writes many %s in turns, between which others have theirs: %o',
    async (what, options, table) => {
      const sink = open(options);
      const claim = await sink.claim(signal);
      const batch = await large(what);
      const started = performance.now();
      sink.prepare?.(batch.transactions);
      const firstTurnMs = performance.now() - started;
      expect(await sink.write(batch, claim, signal)).toEqual({ kind: 'durable' });
      expect(firstTurnMs).toBeLessThan((performance.now() - started) / 4);
      expect(await postgres.rows(`SELECT count(*)::int FROM tailrace.${table}`)).toEqual([[count]]);
    },
  );
});
