import pg from 'pg';
import { type ParsedEvent, parseEvent } from '../../../src/kit/index.js';
import { startPostgres } from '../../services/index.js';
import { readMirrorState } from '../../support/mirror-state.js';
import type { CrashTarget } from '../crash-target.js';
import { requireSameState, type SourceTruth, verifyEvents } from '../source-truth.js';

/** Every change as a row. */
export const startPostgresTarget = (): Promise<CrashTarget> =>
  startTarget('postgres', 'changelog', async (database, truth) => {
    const { rows } = await database.query<ChangeRow>('SELECT * FROM tailrace.changes');
    await verifyEvents(eventsOf(rows), truth);
  });

/** The current state, a table for each type. */
export const startPostgresMirrorTarget = (): Promise<CrashTarget> =>
  startTarget('postgres-mirror', 'mirror', async (database, { state }) => {
    const expected = [...state].map(([key, { groups, ...facts }]) => {
      const shown = groups === undefined ? {} : { groups: (groups as { groups: unknown[] }).groups };
      return [key, { ...facts, ...shown }] as const;
    });
    requireSameState(await readMirrorState(database, 'tailrace'), new Map(expected));
  });

const startTarget = async (
  name: string,
  mode: string,
  verify: (database: pg.Client, truth: SourceTruth) => Promise<void>,
): Promise<CrashTarget> => {
  const postgres = await startPostgres();
  const connected = async <Result>(use: (database: pg.Client) => Promise<Result>): Promise<Result> => {
    const client = new pg.Client(postgres.url);
    await client.connect();
    try {
      return await use(client);
    } finally {
      await client.end();
    }
  };
  return {
    name,
    port: postgres.port,
    fencing: 'epoch',
    sinkEntry: (port) => ({
      sink: 'postgres',
      url: `postgres://postgres@127.0.0.1:${port}/postgres`,
      mode,
    }),
    killAndRestart: async () => {
      await postgres.kill();
      await postgres.restart();
    },
    position: () =>
      connected(async (database) => {
        const made = await database.query(
          `SELECT FROM pg_tables WHERE schemaname = 'tailrace' AND tablename = 'positions'`,
        );
        if (made.rows.length === 0) return 0;
        const { rows } = await database.query<{ sequence: string | null }>(
          'SELECT sequence FROM tailrace.positions',
        );
        return Number(rows[0]?.sequence ?? 0);
      }),
    verify: (truth) => connected((database) => verify(database, truth)),
    [Symbol.asyncDispose]: () => postgres.stop(),
  };
};

interface ChangeRow {
  readonly seq: string;
  readonly index: number;
  readonly tx_first: string;
  readonly tx_last: string;
  readonly ns: string;
  readonly op: string;
  readonly type: string;
  readonly key: string | null;
  readonly field: string | null;
  readonly value: string | null;
  readonly score: number | null;
  readonly ttl_at: Date | null;
  readonly details: Readonly<Record<string, unknown>> | null;
}

/** The rows as the events that they were. */
const eventsOf = (rows: readonly ChangeRow[]): ParsedEvent[] => {
  // What orders the rows is (tx_first, index); within a batch, seq need not grow with it.
  const ordered = [...rows].sort((a, b) => Number(a.tx_first) - Number(b.tx_first) || a.index - b.index);
  const sizes = new Map<string, number>();
  for (const { tx_first } of ordered) sizes.set(tx_first, (sizes.get(tx_first) ?? 0) + 1);
  return ordered.map((row) => {
    const { ns, op, type, index, key } = row;
    const fieldName = type === 'hash' ? 'field' : type === 'stream' || type === 'sortedint' ? 'id' : 'member';
    const tx = { first: Number(row.tx_first), last: Number(row.tx_last), size: sizes.get(row.tx_first) };
    return parseEvent(
      JSON.stringify({
        ...{
          v: 1,
          source: { connector: 'tailrace', name: 'crash' },
          seq: Number(row.seq),
          index,
          tx,
          ns,
          op,
          type,
        },
        ...(key === null ? {} : { key }),
        ...(row.field === null ? {} : { [fieldName]: row.field }),
        ...(row.value === null ? {} : { value: row.value }),
        ...(row.score === null ? {} : { score: row.score }),
        ...(row.ttl_at === null ? {} : { ttlAt: row.ttl_at.getTime() }),
        ...row.details,
      }),
    );
  });
};
