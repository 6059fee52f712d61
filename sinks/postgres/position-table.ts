import { randomUUID } from 'node:crypto';
import { escapeLiteral } from 'pg';
import { type Claim, type Position, TailraceError } from '../../src/kit/index.js';
import type { Connection } from './connection.js';
import { quotedTable, shownTable, type TableName } from './identifier.js';
import type { Layout } from './layout.js';
import { sqlStateOf } from './refusal.js';
import { ensureTable } from './table-schema.js';

/**
 * The table that says who may write and what is written, one row for each target of a pipeline:
 *
 *   pipeline, target       whose position it is (of several sinks in a pipeline also the sink's name), and of which tables
 *   id                     names the row
 *   epoch                  raised by each claim
 *   claimant               whose claim it is: a name of the process' own
 *   sequence, count, crc   the position; NULL until the first batch
 */
export class PositionTable {
  readonly table: TableName;
  /** Whose position it is: a pipeline, or one sink of it. */
  readonly owner: string;
  readonly #target: string;
  readonly #isExclusive: boolean;
  readonly #claimant = randomUUID();
  /** Of the row, as of the claim. */
  #id = 0;

  constructor(
    schema: string,
    owner: string,
    { target, isExclusive = false }: Pick<Layout, 'target' | 'isExclusive'>,
  ) {
    this.table = { schema, name: 'positions' };
    this.owner = owner;
    this.#target = target;
    this.#isExclusive = isExclusive;
  }

  async prepare(connection: Connection): Promise<void> {
    await ensureTable(connection, {
      table: this.table,
      columns: [
        { name: 'id', type: 'bigint', isGenerated: true },
        { name: 'pipeline', type: 'text', isRequired: true },
        { name: 'target', type: 'text', isRequired: true },
        { name: 'epoch', type: 'bigint', isRequired: true },
        { name: 'claimant', type: 'text', isRequired: true },
        { name: 'sequence', type: 'bigint' },
        { name: 'count', type: 'bigint' },
        { name: 'crc', type: 'bigint' },
        { name: 'written_at', type: 'timestamp with time zone' },
      ],
      primaryKey: ['pipeline', 'target'],
    });
  }

  /**
   * A position tells of what the tables hold: one of them made anew would lack all of that.
   * @throws TailraceError `SINK_REFUSED` when there is a position, but not all of the tables
   */
  async requireTables(connection: Connection, tables: readonly TableName[]): Promise<void> {
    const held = await this.look(connection);
    if (held === undefined || held.position === null) return;
    const { rows } = await connection.query<{ at: number }>(
      'SELECT at::int FROM unnest($1::text[]) WITH ORDINALITY AS named (name, at) WHERE to_regclass(name) IS NULL',
      [tables.map(quotedTable)],
    );
    const missing = rows.map(({ at }) => shownTable(tables[at - 1])).join(', ');
    if (missing === '') return;
    const { sequence } = held.position;
    throw new TailraceError(
      'SINK_REFUSED',
      `${missing} is missing, and the position says that it holds what was written up to sequence number ${sequence}`,
      {
        context: { pipeline: this.owner, sequence },
        remedy: `Restore it; or, to begin anew, empty the other tables and delete the row of ${this.owner} of ${shownTable(this.table)}.`,
      },
    );
  }

  /**
   * Raises the epoch and reads the position. `held` is the epoch that this process has already, 0 without one: if another
   * process has claimed since, it is not taken back from it. A claimant before us that is in the middle of a
   * transaction holds the row: it may be a process that was stopped, or one whose network is gone, and would hold it
   * for hours, so after `takeoverMs` its session is ended. What it had not committed is undone.
   */
  async claim(connection: Connection, held: number): Promise<Claim> {
    for (;;) {
      try {
        await connection.query(`BEGIN; SET LOCAL lock_timeout = ${takeoverMs}`);
        const { rows } = await connection.query<PositionRow>(
          `INSERT INTO ${quotedTable(this.table)} AS held (pipeline, target, epoch, claimant)
          VALUES ($1, $2, $3::bigint + 1, $4)
          ON CONFLICT (pipeline, target) DO UPDATE SET epoch = GREATEST(held.epoch, $3) + 1, claimant = $4
          WHERE $3 = 0 OR held.epoch <= $3 OR held.claimant = $4
          RETURNING id, epoch, sequence, count, crc`,
          [this.owner, this.#target, held, this.#claimant],
        );
        await connection.query('COMMIT');
        const [row] = rows;
        if (row === undefined) throw claimedByAnother(this.owner);
        this.#id = Number(row.id);
        const claim = claimOf(row);
        if (this.#isExclusive) await this.#requireNoOther(connection, claim);
        return claim;
      } catch (error) {
        if (connection.loss !== undefined) throw error;
        await connection.rollback();
        if (sqlStateOf(error) !== lockNotAvailable) throw error;
        await this.#endHolder(connection, error);
      }
    }
  }

  /**
   * The statement that moves the position within the open transaction. It fails with `overtaken` when another process has
   * claimed, or moved it. Whole numbers alone, so that it needs no parameters and can go ahead of others.
   */
  advance(epoch: number, previous: Position | null, position: Position | null): string {
    const is = (column: string, value: number | undefined): string =>
      `${column} IS NOT DISTINCT FROM ${wholeOrNull(value)}`;
    return `DO ${escapeLiteral(`BEGIN
      UPDATE ${quotedTable(this.table)}
      SET sequence = ${wholeOrNull(position?.sequence)}, count = ${wholeOrNull(position?.count)},
        crc = ${wholeOrNull(position?.crc)},
        written_at = clock_timestamp()
      WHERE id = ${whole(this.#id)} AND epoch = ${whole(epoch)} AND ${is('sequence', previous?.sequence)}
        AND ${is('count', previous?.count)} AND ${is('crc', previous?.crc)};
      IF NOT FOUND THEN RAISE EXCEPTION USING ERRCODE = '${overtaken}', MESSAGE = 'overtaken'; END IF;
      END`)}`;
  }

  /** A transaction that changes nothing that matters: with it everything committed before becomes durable. */
  async touch(connection: Connection): Promise<void> {
    await connection.query(
      `UPDATE ${quotedTable(this.table)} SET written_at = clock_timestamp() WHERE pipeline = $1 AND target = $2`,
      [this.owner, this.#target],
    );
  }

  /** What stands in the row, for whoever looks without claiming; undefined when there is none, or no such table. */
  async look(connection: Connection): Promise<Claim | undefined> {
    const name = quotedTable(this.table);
    const { rows: tables } = await connection.query<{ isThere: boolean }>(
      'SELECT to_regclass($1) IS NOT NULL AS "isThere"',
      [name],
    );
    if (!tables[0].isThere) return undefined;
    const { rows } = await connection.query<PositionRow>(
      `SELECT id, epoch, sequence, count, crc FROM ${name} WHERE pipeline = $1 AND target = $2`,
      [this.owner, this.#target],
    );
    const [row] = rows;
    return row === undefined ? undefined : claimOf(row);
  }

  /**
   * Tables of which nobody else knows what they hold are one owner's: the one that has a position there. Of several that
   * come for the first time at once none is, and each takes its claim back.
   */
  async #requireNoOther(connection: Connection, { position }: Claim): Promise<void> {
    const table = quotedTable(this.table);
    const { rows } = await connection.query<{ pipeline: string }>(
      `SELECT pipeline FROM ${table} WHERE target = $1 AND pipeline <> $2 AND (sequence IS NOT NULL OR $3)`,
      [this.#target, this.owner, position === null],
    );
    const [other] = rows;
    if (other === undefined) return;
    const { pipeline } = other;
    if (position === null) await connection.query(`DELETE FROM ${table} WHERE id = $1`, [this.#id]);
    throw new TailraceError('SINK_REFUSED', `the ${this.#target} belongs to pipeline ${pipeline}`, {
      context: { pipeline: this.owner, owner: pipeline },
      remedy: `Give this one a schema of its own. If ${pipeline} is gone for good, empty the tables and delete its row of ${shownTable(this.table)}.`,
    });
  }

  /**
   * At the end of whoever claimed: takes the claim of exclusive tables back where nothing was written, so that they are free for
   * a pipeline of another name.
   */
  async giveBack(connection: Connection, { epoch, position }: Claim): Promise<void> {
    if (!this.#isExclusive || position !== null) return;
    await connection.query(
      `DELETE FROM ${quotedTable(this.table)} WHERE id = $1 AND epoch = $2 AND sequence IS NULL`,
      [this.#id, epoch],
    );
  }

  /** The row's xmax is the transaction that holds it, and that transaction's own lock names its session. */
  async #endHolder(connection: Connection, cause: unknown): Promise<void> {
    try {
      await connection.query(
        `SELECT pg_terminate_backend(l.pid) FROM ${quotedTable(this.table)} p
        JOIN pg_locks l ON l.locktype = 'transactionid' AND l.transactionid = p.xmax AND l.granted
        WHERE p.pipeline = $1 AND p.target = $2`,
        [this.owner, this.#target],
      );
    } catch {
      throw new TailraceError('SINK_UNREACHABLE', 'another session holds the position and may not be ended', {
        context: { pipeline: this.owner },
        remedy: 'Connect as the same user as the process before, or end its session (pg_terminate_backend).',
        cause,
      });
    }
  }
}

const whole = (value: number): string => {
  if (Number.isSafeInteger(value)) return String(value);
  throw new TailraceError('INTERNAL', `${value} is no whole number`);
};

const wholeOrNull = (value: number | undefined): string => (value === undefined ? 'NULL' : whole(value));

interface PositionRow {
  readonly id: string;
  readonly epoch: string;
  readonly sequence: string | null;
  readonly count: string | null;
  readonly crc: string | null;
}

const claimedByAnother = (pipeline: string): TailraceError =>
  new TailraceError('SINK_FENCED', 'the sink was claimed by another process while this one was cut off', {
    context: { pipeline },
    remedy: 'Run one process for each pipeline name; this one has stopped and changed nothing more.',
  });

const claimOf = ({ epoch, sequence, count, crc }: PositionRow): Claim => {
  const position =
    sequence === null || count === null || crc === null
      ? null
      : { sequence: Number(sequence), count: Number(count), crc: Number(crc) };
  return { epoch: Number(epoch), position };
};

/** The SQLSTATE with which `advance` fails when another process has claimed. */
export const overtaken = 'TR001';
const lockNotAvailable = '55P03';
const takeoverMs = 2_000;
