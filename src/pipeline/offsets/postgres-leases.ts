import type { QueryResultRow } from 'pg';
import type { LeaseStore } from './lease.js';

/** Runs one statement; its rows. */
type Query = <Row extends QueryResultRow>(text: string, values: unknown[]) => Promise<Row[]>;

/** Leases in a table of a Postgres, by the clock of the server. */
export class PostgresLeases implements LeaseStore {
  readonly #table: string;
  readonly #query: Query;

  /** @param table quoted, as statements name it */
  constructor(table: string, query: Query) {
    this.#table = table;
    this.#query = query;
  }

  async take(
    pipeline: string,
    token: string,
    holder: string,
    forMs: number,
  ): Promise<{ holder: string } | undefined> {
    const taken = await this.#query(
      `INSERT INTO ${this.#table} AS held (pipeline, token, holder, expires_at)
       VALUES ($1, $2, $3, now() + $4 * interval '1 ms')
       ON CONFLICT (pipeline) DO UPDATE
       SET token = excluded.token, holder = excluded.holder, expires_at = excluded.expires_at
       WHERE held.expires_at < now() OR held.token = excluded.token RETURNING token`,
      [pipeline, token, holder, forMs],
    );
    if (taken.length > 0) return undefined;
    const [other] = await this.#query<{ holder: string }>(
      `SELECT holder FROM ${this.#table} WHERE pipeline = $1`,
      [pipeline],
    );
    return other ?? { holder: 'a process that has just given it up' };
  }

  async renew(pipeline: string, token: string, forMs: number): Promise<boolean> {
    const rows = await this.#query(
      `UPDATE ${this.#table} SET expires_at = now() + $3 * interval '1 ms'
       WHERE pipeline = $1 AND token = $2 RETURNING token`,
      [pipeline, token, forMs],
    );
    return rows.length > 0;
  }

  async drop(pipeline: string, token: string): Promise<void> {
    await this.#query(`DELETE FROM ${this.#table} WHERE pipeline = $1 AND token = $2`, [pipeline, token]);
  }
}
