import type { Pool, QueryResultRow } from 'pg';
import { messageOf, type Position, TailraceError } from '../../kit/index.js';
import { type Lease, takeLease } from './lease.js';
import type { OffsetsStore, StoredOffset } from './offsets-store.js';
import { PostgresLeases } from './postgres-leases.js';

/** Where positions are kept in a Postgres. */
export interface PostgresOffsetsOptions {
  /** postgres://user:password@host:port/database */
  readonly url: string;
  /** The table, made when it is missing; leases are in NAME_leases. */
  readonly name: string;
  readonly leaseMs: number;
}

/** Positions in a table of a Postgres, and who runs which pipeline in another, by the clock of the server. */
export class PostgresOffsetsStore implements OffsetsStore {
  readonly #options: PostgresOffsetsOptions;
  readonly #table: string;
  readonly #leasesTable: string;
  readonly #leases: PostgresLeases;
  #pool: Promise<Pool> | undefined;

  constructor(options: PostgresOffsetsOptions) {
    this.#options = options;
    this.#table = quoted(options.name);
    this.#leasesTable = quoted(`${options.name}_leases`);
    this.#leases = new PostgresLeases(this.#leasesTable, (text, values) => this.#query(text, values));
  }

  async load(pipeline: string, sink: string): Promise<Position | null> {
    const stored = await this.list(pipeline);
    return stored.find((offset) => offset.sink === sink)?.position ?? null;
  }

  async save(pipeline: string, sink: string, { sequence, count, crc }: Position): Promise<void> {
    await this.#query(
      `INSERT INTO ${this.#table} (pipeline, sink, sequence, count, crc) VALUES ($1, $2, $3, $4, $5)
       ON CONFLICT (pipeline, sink) DO UPDATE
       SET sequence = excluded.sequence, count = excluded.count, crc = excluded.crc, stored_at = now()`,
      [pipeline, sink, sequence, count, crc],
    );
  }

  async list(pipeline?: string): Promise<readonly StoredOffset[]> {
    const rows = await this.#query<OffsetRow>(
      `SELECT pipeline, sink, sequence, count, crc, extract(epoch FROM stored_at) * 1000 AS stored_at_ms
       FROM ${this.#table} WHERE $1::text IS NULL OR pipeline = $1 ORDER BY pipeline, sink`,
      [pipeline ?? null],
    );
    return rows.map((row) => ({
      pipeline: row.pipeline,
      sink: row.sink,
      position: { sequence: Number(row.sequence), count: Number(row.count), crc: Number(row.crc) },
      storedAtMs: Math.round(Number(row.stored_at_ms)),
    }));
  }

  async reset(pipeline: string, sink?: string): Promise<boolean> {
    const rows = await this.#query(
      `DELETE FROM ${this.#table} WHERE pipeline = $1 AND ($2::text IS NULL OR sink = $2) RETURNING sink`,
      [pipeline, sink ?? null],
    );
    return rows.length > 0;
  }

  own(pipeline: string, signal: AbortSignal): Promise<Lease> {
    return takeLease(this.#leases, pipeline, this.#options.leaseMs, signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const pool = this.#pool;
    this.#pool = undefined;
    await (await pool?.catch(() => undefined))?.end();
  }

  async #query<Row extends QueryResultRow>(text: string, values: unknown[]): Promise<Row[]> {
    try {
      this.#pool ??= this.#open();
      return (await (await this.#pool).query<Row>(text, values)).rows;
    } catch (cause) {
      const reason = messageOf(cause);
      throw new TailraceError('OFFSETS_FAILED', `the positions in Postgres cannot be used: ${reason}`, {
        context: { table: this.#options.name },
        remedy:
          'Check that the Postgres of the positions is up and that the user may create and write the table.',
        cause,
      });
    }
  }

  /** Loads the client only when it is needed, and makes the tables. */
  async #open(): Promise<Pool> {
    const { default: pg } = await import('pg');
    const pool = new pg.Pool({
      connectionString: this.#options.url,
      max: 2,
      connectionTimeoutMillis: answerTimeoutMs,
      query_timeout: answerTimeoutMs,
    });
    // An idle connection that breaks is replaced by the next query.
    pool.on('error', () => undefined);
    try {
      // One transaction, and one process at a time: two that make the same table at once would fail.
      await pool.query(`SELECT pg_advisory_xact_lock(${createLock});
        CREATE TABLE IF NOT EXISTS ${this.#table} (pipeline text, sink text, sequence bigint NOT NULL,
          count bigint NOT NULL, crc bigint NOT NULL, stored_at timestamptz NOT NULL DEFAULT now(),
          PRIMARY KEY (pipeline, sink));
        CREATE TABLE IF NOT EXISTS ${this.#leasesTable} (pipeline text PRIMARY KEY, token text NOT NULL,
          holder text NOT NULL, expires_at timestamptz NOT NULL)`);
      return pool;
    } catch (error) {
      this.#pool = undefined;
      await pool.end();
      throw error;
    }
  }
}

const answerTimeoutMs = 10_000;

/** Any number that others are unlikely to lock. */
const createLock = 7_236_450_117;

interface OffsetRow extends QueryResultRow {
  readonly pipeline: string;
  readonly sink: string;
  readonly sequence: string;
  readonly count: string;
  readonly crc: string;
  readonly stored_at_ms: string;
}

/** `schema.table` names a schema too. */
const quoted = (name: string): string =>
  name
    .split('.')
    .map((part) => `"${part.replaceAll('"', '""')}"`)
    .join('.');
