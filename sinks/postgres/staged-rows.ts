import type { Connection } from './connection.js';
import { CopyRows } from './copy-rows.js';
import { quoted } from './identifier.js';
import type { Column } from './table-schema.js';

/**
 * Rows of a batch in a temporary table of the session, from which one statement merges them into the real one. The
 * table is made when it is first used, and emptied by each commit.
 */
export class StagedRows {
  readonly name: string;
  readonly columns: readonly Column[];
  readonly rows = new CopyRows();
  count = 0;
  readonly #blocks: Buffer[] = [];

  constructor(name: string, columns: readonly Column[]) {
    this.name = `pg_temp.${quoted(`tailrace_${name}`)}`;
    this.columns = columns;
  }

  /** Begins a row; its fields are then written to `rows`, in the order of the columns. */
  start(): CopyRows {
    if (this.rows.isFull) this.#blocks.push(this.rows.take());
    this.count++;
    this.rows.row(this.columns.length);
    return this.rows;
  }

  async send(connection: Connection): Promise<void> {
    this.rows.end();
    this.#blocks.push(this.rows.take());
    const columns = this.columns.map(({ name, type }) => `${quoted(name)} ${type}${collationOf(type)}`);
    connection.ahead(
      `CREATE TEMP TABLE IF NOT EXISTS ${this.name} (${columns.join(', ')}) ON COMMIT DELETE ROWS`,
    );
    await connection.copyIn(`COPY ${this.name} FROM STDIN (FORMAT binary)`, this.#blocks);
  }
}

/** As in the real tables, so that both compare alike. */
const collationOf = (type: string): string => (type === 'text' ? ' COLLATE "C"' : '');
