import { type Transaction, Turns } from '../../../src/kit/index.js';
import { foldBatch } from '../batch-fold.js';
import type { Connection } from '../connection.js';
import type { Step } from '../exchange.js';
import { quotedTable, shownTable, type TableName } from '../identifier.js';
import type { EncodedBatch, Layout } from '../layout.js';
import { refusedChanges } from '../refused-changes.js';
import { makeIfMissing } from '../table-schema.js';
import { MappedRows } from './mapped-rows.js';
import { refusedByTable } from './row-refusal.js';
import type { TableMapping } from './table-mapping.js';

/**
 * Hashes as rows of the user's tables: the captures of a key are the row's key, fields are columns. A row is there while
 * its hash is; a column is NULL when the hash lacks its field, or the field is not mapped. Keys that match no mapping,
 * and other columns, are left alone.
 */
export class RowTables implements Layout {
  readonly target: string;
  readonly #mappings: readonly TableMapping[];

  constructor(mappings: readonly TableMapping[]) {
    this.#mappings = mappings;
    this.target = `table ${mappings.map(({ table }) => shownTable(table)).join(', ')}`;
  }

  get tables(): readonly TableName[] {
    return this.#mappings.map(({ table }) => table);
  }

  async prepare(connection: Connection): Promise<void> {
    await connection.query('SET enable_hashjoin = off; SET enable_mergejoin = off; SET jit = off');
    for (const mapping of this.#mappings) {
      const { table, key, columns, expiresAt } = mapping;
      const expiry = expiresAt === undefined ? [] : [{ name: expiresAt, type: 'timestamptz' }];
      await makeIfMissing(connection, {
        table,
        columns: [...key, ...columns, ...expiry],
        primaryKey: key.map(({ name }) => name),
      });
      await connection.query('BEGIN');
      connection.ahead(...new MappedRows(mapping).emptySteps());
      await connection.query('ROLLBACK');
    }
  }

  async encode(transactions: readonly Transaction[]): Promise<EncodedBatch> {
    const rejections = await refusedChanges(transactions, (change) => refusedByTable(change, this.#mappings));
    const { isAllCleared, cleared, plans } = await foldBatch(rejections.length === 0 ? transactions : []);
    const steps: Step[] = [];
    const turns = new Turns();
    for (const mapping of this.#mappings) {
      if (isAllCleared || cleared.has(mapping.namespace))
        steps.push({ statement: `DELETE FROM ${quotedTable(mapping.table)}` });
      const rows = new MappedRows(mapping);
      for (const plan of plans) {
        rows.add(plan);
        if (turns.isOverAfterStep()) await turns.next();
      }
      steps.push(...rows.steps());
    }
    return { rejections, apply: async (connection) => connection.ahead(...steps) };
  }
}
