import type { Rejection, Transaction } from '../../../src/kit/index.js';
import { foldBatch, type KeyPlan } from '../batch-fold.js';
import type { Connection } from '../connection.js';
import type { CopyRows } from '../copy-rows.js';
import { quoted, quotedTable, shownTable, type TableName } from '../identifier.js';
import type { Layout } from '../layout.js';
import { StagedRows } from '../staged-rows.js';
import { type Column, makeIfMissing } from '../table-schema.js';
import { keyText } from '../text-bytes.js';
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
    for (const [at, mapping] of this.#mappings.entries()) {
      const { table, key, columns, expiresAt } = mapping;
      const expiry = expiresAt === undefined ? [] : [{ name: expiresAt, type: 'timestamptz' }];
      await makeIfMissing(connection, {
        table,
        columns: [...key, ...columns, ...expiry],
        primaryKey: key.map(({ name }) => name),
      });
      // A merge of nothing shows whether the table that is there has the columns, the unique key and the rights.
      connection.ahead('BEGIN');
      await merge(connection, mapping, stagedFor(mapping, at));
      await connection.query('ROLLBACK');
    }
  }

  rejections(transactions: readonly Transaction[]): Rejection[] {
    const rejections: Rejection[] = [];
    for (let transaction = 0; transaction < transactions.length; transaction++) {
      const { changes } = transactions[transaction];
      for (let change = 0; change < changes.length; change++) {
        const reason = refusedByTable(changes[change], this.#mappings);
        if (reason !== undefined) rejections.push({ transaction, change, reason });
      }
    }
    return rejections;
  }

  async apply(connection: Connection, transactions: readonly Transaction[]): Promise<void> {
    const { isAllCleared, cleared, plans } = foldBatch(transactions);
    for (const [at, mapping] of this.#mappings.entries()) {
      const table = quotedTable(mapping.table);
      if (isAllCleared || cleared.has(mapping.namespace)) connection.ahead(`DELETE FROM ${table}`);
      const staged = stagedFor(mapping, at);
      for (const plan of plans) addRow(staged, plan, mapping);
      if (staged.count > 0) await merge(connection, mapping, staged);
    }
  }
}

/**
 * A staged row: the key · for each column its value and whether it is set · expiry, and whether it is set ·
 * gone: there is no such hash any more · made: there is one, also if there was none.
 */
const stagedFor = ({ key, columns }: TableMapping, place: number): StagedRows => {
  const staged: Column[] = key.map((_, at) => ({ name: `k${at}`, type: 'text' }));
  for (const [at, { type }] of columns.entries())
    staged.push(
      { name: `c${at}`, type: type === 'bytea' ? 'bytea' : 'text' },
      { name: `s${at}`, type: 'boolean' },
    );
  staged.push(
    { name: 'expires_at', type: 'timestamptz' },
    { name: 'sets_expiry', type: 'boolean' },
    { name: 'gone', type: 'boolean' },
    { name: 'made', type: 'boolean' },
  );
  return new StagedRows(`rows_${place}`, staged);
};

const addRow = (staged: StagedRows, plan: KeyPlan, { namespace, pattern, columns }: TableMapping): void => {
  if (plan.ns !== namespace) return;
  const captured = pattern.match(Buffer.from(keyText(plan.key), 'latin1').toString());
  if (captured === undefined) return;
  const isHash = plan.type === 'hash';
  const isMade = isHash && plan.isMade;
  const isGone = !isHash || (plan.isReset && !isMade);
  const row = staged.start();
  for (const text of captured) row.text(text);
  for (const { field } of columns) addField(row, plan, field);
  if (typeof plan.expiry === 'number') row.timestamp(plan.expiry);
  else row.null();
  row.bool(plan.expiry !== undefined || plan.isReset);
  row.bool(isGone);
  row.bool(isMade);
};

/** The value of a column, and whether it is set: a hash that starts anew sets all. */
const addField = (row: CopyRows, plan: KeyPlan, field: string): void => {
  const change = plan.elements?.get(field);
  if (change?.op === 'put' && change.type === 'hash') row.bytes(change.value);
  else row.null();
  row.bool(change !== undefined || plan.isReset);
};

const merge = async (
  connection: Connection,
  { table, key, columns, expiresAt }: TableMapping,
  staged: StagedRows,
): Promise<void> => {
  const target = quotedTable(table);
  const castOf = (at: number, type: string): string => (type === 'bytea' ? `s.c${at}` : `s.c${at}::${type}`);
  const isSame = key.map(({ name, type }, at) => `t.${quoted(name)} = s.k${at}::${type}`).join(' AND ');
  const expiry = expiresAt === undefined ? [] : [quoted(expiresAt)];
  const updates = [
    ...columns.map(
      ({ name, type }, at) =>
        `${quoted(name)} = CASE WHEN s.s${at} THEN ${castOf(at, type)} ELSE t.${quoted(name)} END`,
    ),
    ...expiry.map((name) => `${name} = CASE WHEN s.sets_expiry THEN s.expires_at ELSE t.${name} END`),
  ];
  const keyNames = key.map(({ name }) => quoted(name)).join(', ');
  const names = [keyNames, ...columns.map(({ name }) => quoted(name)), ...expiry];
  const values = [
    ...key.map(({ type }, at) => `s.k${at}::${type}`),
    ...columns.map(({ type }, at) => castOf(at, type)),
    ...expiry.map(() => 's.expires_at'),
  ];
  await staged.send(connection);
  connection.ahead(`DELETE FROM ${target} t USING ${staged.name} s WHERE s.gone AND ${isSame}`);
  if (updates.length > 0)
    connection.ahead(
      `UPDATE ${target} t SET ${updates.join(', ')} FROM ${staged.name} s WHERE NOT s.gone AND ${isSame}`,
    );
  connection.ahead(
    `INSERT INTO ${target} (${names.join(', ')}) SELECT ${values.join(', ')} FROM ${staged.name} s WHERE s.made
    ON CONFLICT (${keyNames}) DO NOTHING`,
  );
};
