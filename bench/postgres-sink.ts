import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import type { PostgresOptions } from '../sinks/postgres/index.js';
import { makePostgresSink } from '../sinks/postgres/make-sink.js';
import type { Engine } from '../src/engine/index.js';
import { ensurePrograms, startPostgres } from '../test/services/index.js';
import { pluginContext } from '../test/support/plugin-context.js';
import { alternate, type Bench, result, seconds } from './harness.js';
import { deliver, fillStore } from './log-delivery.js';

const value = Buffer.alloc(100, 'x');
const keyOf = (i: number): string => `key:${i}`;

const optionsOf = (url: string): PostgresOptions => ({
  url,
  password: '',
  mode: 'changelog',
  schema: 'tailrace',
  table: 'changes',
  tables: [],
  keys: 'text',
  values: 'text',
  sync: 'interval',
  writeTimeout: 60_000,
});

const deliverTo = async (engine: Engine, options: PostgresOptions): Promise<void> => {
  await using sink = makePostgresSink(options, pluginContext('bench'));
  await deliver(engine, sink);
};

/** One command of psql, such as \copy. */
const psql = (url: string, command: string): Promise<void> =>
  new Promise((resolve, reject) => {
    const program = spawn('psql', [url, '-q', '-v', 'ON_ERROR_STOP=1', '-c', command], {
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    program.once('error', reject);
    program.once('close', (code) => (code === 0 ? resolve() : reject(new Error(`psql ended with ${code}`))));
  });

/** The plainest fast way by hand: rows as arrays, one upsert for each thousand of them. */
const upsertByHand = async (database: pg.Client, count: number): Promise<void> => {
  const text = value.toString();
  for (let from = 0; from < count; from += rowsByHand) {
    const keys = Array.from({ length: Math.min(rowsByHand, count - from) }, (_, i) => keyOf(from + i));
    await database.query(
      `INSERT INTO tailrace.strings (ns, key, value, expires_at)
      SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[])
      ON CONFLICT (ns, key) DO UPDATE SET value = excluded.value, expires_at = excluded.expires_at`,
      [keys.map(() => 'default'), keys, keys.map(() => text), keys.map(() => null)],
    );
  }
};

const rowsByHand = 5_000;

/** Counted at the target: the rate only counts when every row is there. */
export const postgresSinkBench: Bench = {
  name: 'postgres-sink',
  summary:
    'SETs of 100 B from the log into a Postgres, exactly once, against psql \\copy and an upsert by hand',
  run: async ({ isQuick }) => {
    ensurePrograms(['psql']);
    const count = isQuick ? 50_000 : 1_000_000;
    const directory = mkdtempSync(join(tmpdir(), 'tailrace-bench-'));
    const service = await startPostgres();
    const database = new pg.Client(service.url);
    await database.connect();
    try {
      const engine = await fillStore(join(directory, 'store'), count, keyOf, value);
      const options = optionsOf(service.url);
      const file = join(directory, 'rows');
      const rateOf = async (table: string, work: () => Promise<void>): Promise<number> => {
        const took = await seconds(work);
        const { rows } = await database.query<{ count: string }>(`SELECT count(*) FROM ${table}`);
        if (Number(rows[0]?.count) !== count)
          throw new Error(`${table} holds ${rows[0]?.count} rows of ${count}`);
        await database.query(`TRUNCATE ${table}; DELETE FROM tailrace.positions; CHECKPOINT`);
        return count / took;
      };
      const mirror: PostgresOptions = { ...options, mode: 'mirror' };
      await deliverTo(engine, options);
      await deliverTo(engine, mirror);
      await psql(service.url, `\\copy tailrace.changes TO '${file}'`);
      await database.query('TRUNCATE tailrace.changes, tailrace.strings, tailrace.positions');
      const [changelog = 0, copy = 0, mirrored = 0, byHand = 0] = await alternate(isQuick ? 1 : 3, [
        () => rateOf('tailrace.changes', () => deliverTo(engine, options)),
        () => rateOf('tailrace.changes', () => psql(service.url, `\\copy tailrace.changes FROM '${file}'`)),
        () => rateOf('tailrace.strings', () => deliverTo(engine, mirror)),
        () => rateOf('tailrace.strings', () => upsertByHand(database, count)),
      ]);
      await engine.close();
      return [
        result('log to changelog, exactly once', changelog, 'changes/s', 'psql \\copy', copy, 0.7),
        result('log to mirror, exactly once', mirrored, 'changes/s', 'an unnest upsert by hand', byHand, 0.9),
      ];
    } finally {
      await database.end();
      await service.stop();
      rmSync(directory, { recursive: true, force: true });
    }
  },
};
