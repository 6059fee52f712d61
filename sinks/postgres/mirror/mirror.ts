import type { Rejection, Transaction, ValueType } from '../../../src/kit/index.js';
import { type BatchFold, foldBatch, type KeyPlan, type WholeValue } from '../batch-fold.js';
import type { Connection } from '../connection.js';
import { quoted, quotedTable, type TableName } from '../identifier.js';
import type { Layout } from '../layout.js';
import { StagedRows } from '../staged-rows.js';
import { ensureTable } from '../table-schema.js';
import { applyLists } from './list-rows.js';
import { refusedByMirror } from './mirror-refusal.js';
import {
  type ByteColumns,
  collectionsTable,
  type ElementTable,
  elementTables,
  keyColumns,
  listsTable,
  wholeTable,
} from './mirror-tables.js';

export interface MirrorOptions extends ByteColumns {
  readonly schema: string;
}

/**
 * The current state as tables: one for each type, with a row for each string, document, field, member, element and entry;
 * `collections` has a row for each key that is neither string nor document, with its type and expiry.
 *
 * A batch is folded to one plan for each key. Then, in this order: cleared namespaces are emptied, what keys held before
 * is deleted where they start anew, whole values are merged, elements, lists, and the collections' own rows. The rows of
 * each step come by COPY into a temporary table and are merged by one statement.
 *
 * Nearly all keys start anew when they are set, and nearly all of these held nothing of another type. So that this is not
 * looked up for each of them, the layout knows which tables are empty: nobody else writes to them, and it looks for
 * itself at the first batch of each connection, when it holds the position's row.
 */
export class Mirror implements Layout {
  readonly target: string;
  readonly #options: MirrorOptions;
  readonly #elements: ReadonlyMap<ValueType, ElementTable>;
  readonly #tableNames: readonly string[];
  /** Tables that may have rows. */
  #filled = new Set<string>();
  #filledAsOf: Connection | undefined;

  constructor(options: MirrorOptions) {
    this.#options = options;
    this.target = `mirror ${options.schema}`;
    this.#elements = elementTables(options);
    this.#tableNames = [
      ...['strings', 'json', 'collections', 'lists'],
      ...[...this.#elements.values()].map(({ name }) => name),
    ];
  }

  get tables(): readonly TableName[] {
    return this.#tableNames.map((name) => ({ schema: this.#options.schema, name }));
  }

  async prepare(connection: Connection): Promise<void> {
    const { schema } = this.#options;
    const whole = (['string', 'json'] as const).map((type) => wholeTable(type, this.#options));
    for (const { name, columns } of [...whole, collectionsTable(this.#options)])
      await ensureTable(connection, { table: { schema, name }, columns, primaryKey: ['ns', 'key'] });
    const elements = [...this.#elements.values(), listsTable(this.#options)];
    for (const { name, element, contents } of elements)
      await ensureTable(connection, {
        table: { schema, name },
        columns: [...keyColumns(this.#options), ...element, ...contents],
        primaryKey: ['ns', 'key', ...element.map((column) => column.name)],
      });
    // All joins are of a few staged rows with a table that may be large: never read the whole table.
    await connection.query('SET enable_hashjoin = off; SET enable_mergejoin = off; SET jit = off');
  }

  rejections(transactions: readonly Transaction[]): Rejection[] {
    const rejections: Rejection[] = [];
    for (let transaction = 0; transaction < transactions.length; transaction++) {
      const { changes } = transactions[transaction];
      for (let change = 0; change < changes.length; change++) {
        const reason = refusedByMirror(changes[change], this.#options);
        if (reason !== undefined) rejections.push({ transaction, change, reason });
      }
    }
    return rejections;
  }

  async apply(connection: Connection, transactions: readonly Transaction[]): Promise<void> {
    if (this.#filledAsOf !== connection) await this.#lookWhatIsFilled(connection);
    const fold = foldBatch(transactions);
    await this.#clear(connection, fold);
    await this.#reset(connection, fold.plans);
    await this.#mergeWhole(connection, 'string', fold.plans);
    await this.#mergeWhole(connection, 'json', fold.plans);
    for (const [type, table] of this.#elements)
      await this.#mergeElements(connection, type, table, fold.plans);
    const lists = fold.plans.filter(({ list }) => list !== undefined);
    if (lists.length > 0) {
      this.#filled.add('lists');
      await applyLists(connection, this.#table('lists'), lists, this.#options);
    }
    await this.#mergeCollections(connection, fold.plans);
  }

  async #lookWhatIsFilled(connection: Connection): Promise<void> {
    const columns = this.#tableNames.map(
      (name) => `EXISTS (SELECT FROM ${this.#table(name)}) AS ${quoted(name)}`,
    );
    const { rows } = await connection.query<Record<string, boolean>>(`SELECT ${columns.join(', ')}`);
    this.#filled = new Set(this.#tableNames.filter((name) => rows[0]?.[name] === true));
    this.#filledAsOf = connection;
  }

  async #clear(connection: Connection, { isAllCleared, cleared }: BatchFold): Promise<void> {
    if (!isAllCleared && cleared.size === 0) return;
    for (const name of this.#filled)
      if (isAllCleared) connection.ahead(`DELETE FROM ${this.#table(name)}`);
      else await connection.query(`DELETE FROM ${this.#table(name)} WHERE ns = ANY ($1)`, [[...cleared]]);
  }

  /**
   * Deletes what the keys held before: of those that start anew everything but the row that the merge will replace
   * anyway, of other collections what is of another type. (A key that expired at the source goes without a word, and may
   * come back as anything.)
   */
  async #reset(connection: Connection, plans: readonly KeyPlan[]): Promise<void> {
    const filled = this.#filled;
    const staged = new StagedRows('reset', [...keyColumns(this.#options), { name: 'kept', type: 'text' }]);
    for (const { ns, key, isReset, isMade, type, whole } of plans) {
      if (!isReset && !isMade) continue;
      const kept = whole?.type ?? (isReset ? undefined : type);
      if (this.#holdsOnly(kept)) continue;
      const row = staged.start();
      row.text(ns);
      row.bytes(key);
      if (kept === undefined) row.null();
      else row.text(kept);
    }
    if (staged.count === 0) return;
    await staged.send(connection);
    const deleteOf = (table: string, type: string): string =>
      `DELETE FROM ${this.#table(table)} t USING ${staged.name} s
      WHERE t.ns = s.ns AND t.key = s.key AND s.kept IS DISTINCT FROM ${type}`;
    const deleteFrom = (type: ValueType) =>
      connection.query(deleteOf(this.#tableOf(type), '$1::text'), [type]);
    if (filled.has('strings')) await deleteFrom('string');
    if (filled.has('json')) await deleteFrom('json');
    if (!filled.has('collections')) return;
    const { rows } = await connection.query<{ type: ValueType }>(
      `WITH gone AS (${deleteOf('collections', 't.type')} RETURNING t.type) SELECT DISTINCT type FROM gone`,
    );
    for (const { type } of rows) await deleteFrom(type);
  }

  /** True when no table but those of this type has rows. */
  #holdsOnly(type: ValueType | undefined): boolean {
    const own = type === undefined ? '' : this.#tableOf(type);
    const isCollection = own !== '' && own !== 'strings' && own !== 'json';
    for (const table of this.#filled)
      if (table !== own && !(isCollection && table === 'collections')) return false;
    return true;
  }

  async #mergeWhole(
    connection: Connection,
    type: WholeValue['type'],
    plans: readonly KeyPlan[],
  ): Promise<void> {
    const { name, columns } = wholeTable(type, this.#options);
    const staged = new StagedRows(name, columns);
    for (const { ns, key, whole } of plans) {
      if (whole?.type !== type) continue;
      const row = staged.start();
      row.text(ns);
      row.bytes(key);
      if (type === 'json') row.jsonb(whole.value);
      else row.bytes(whole.value);
      if (whole.ttlAt === undefined) row.null();
      else row.timestamp(whole.ttlAt);
    }
    if (staged.count === 0) return;
    this.#filled.add(name);
    await staged.send(connection);
    const content = columns[2].name;
    connection.ahead(
      `INSERT INTO ${this.#table(name)} (ns, key, ${content}, expires_at) SELECT * FROM ${staged.name}
      ON CONFLICT (ns, key) DO UPDATE SET ${content} = excluded.${content}, expires_at = excluded.expires_at`,
    );
  }

  async #mergeElements(
    connection: Connection,
    type: ValueType,
    table: ElementTable,
    plans: readonly KeyPlan[],
  ): Promise<void> {
    const { name, element, contents, stagedElement } = table;
    const staged = new StagedRows(name, [
      ...keyColumns(this.#options),
      ...element.map((column) => ({ ...column, type: stagedElement ?? column.type })),
      ...contents,
      { name: 'gone', type: 'boolean' },
    ]);
    let gone = 0;
    for (const plan of plans) {
      if (plan.type !== type || plan.elements === undefined) continue;
      for (const change of plan.elements.values()) {
        const isGone = change.op === 'delete';
        if (isGone && plan.isReset) continue; // went with the key
        if (isGone) gone++;
        const row = staged.start();
        row.text(plan.ns);
        row.bytes(plan.key);
        table.write(row, change);
        row.bool(isGone);
      }
    }
    if (staged.count === 0) return;
    const cast = ({ name: column, type: columnType }: { name: string; type: string }): string =>
      stagedElement === undefined ? `s.${quoted(column)}` : `s.${quoted(column)}::${columnType}`;
    await staged.send(connection);
    if (gone > 0) {
      const isSame = element.map((column) => `t.${quoted(column.name)} = ${cast(column)}`).join(' AND ');
      connection.ahead(
        `DELETE FROM ${this.#table(name)} t USING ${staged.name} s
        WHERE s.gone AND t.ns = s.ns AND t.key = s.key AND ${isSame}`,
      );
    }
    if (gone === staged.count) return;
    this.#filled.add(name);
    const names = (columns: readonly { name: string }[]): string[] =>
      columns.map((column) => quoted(column.name));
    const key = ['ns', 'key', ...names(element)].join(', ');
    const merged = names(contents).map((column) => `${column} = ${table.merged ?? `excluded.${column}`}`);
    const selected = [
      's.ns',
      's.key',
      ...element.map(cast),
      ...names(contents).map((column) => `s.${column}`),
    ];
    connection.ahead(
      `INSERT INTO ${this.#table(name)} AS held (${[key, ...names(contents)].join(', ')})
      SELECT ${selected.join(', ')} FROM ${staged.name} s WHERE NOT s.gone
      ON CONFLICT (${key}) DO ${merged.length === 0 ? 'NOTHING' : `UPDATE SET ${merged.join(', ')}`}`,
    );
  }

  /** One row for each collection: made with its first element; changed when its expiry is, or a bitmap's size. */
  async #mergeCollections(connection: Connection, plans: readonly KeyPlan[]): Promise<void> {
    const { name, columns } = collectionsTable(this.#options);
    const staged = new StagedRows(name, [
      ...columns,
      { name: 'sets_expiry', type: 'boolean' },
      { name: 'is_made', type: 'boolean' },
    ]);
    for (const { ns, key, type, expiry, size, isMade } of plans) {
      if (type === undefined || !(isMade || expiry !== undefined)) continue;
      const row = staged.start();
      row.text(ns);
      row.bytes(key);
      row.text(type);
      if (expiry === undefined || expiry === null) row.null();
      else row.timestamp(expiry);
      if (size === undefined) row.null();
      else row.int8(size);
      row.bool(expiry !== undefined);
      row.bool(isMade);
    }
    if (staged.count === 0) return;
    this.#filled.add(name);
    await staged.send(connection);
    const table = this.#table(name);
    connection.ahead(
      `INSERT INTO ${table} AS held (ns, key, type, expires_at, size)
      SELECT s.ns, s.key, s.type, s.expires_at, s.size FROM ${staged.name} s WHERE s.is_made
      ON CONFLICT (ns, key) DO UPDATE SET type = excluded.type, size = GREATEST(held.size, excluded.size)
      WHERE held.type <> excluded.type OR held.size < excluded.size OR (held.size IS NULL AND excluded.size IS NOT NULL)`,
    );
    connection.ahead(
      `UPDATE ${table} t SET expires_at = s.expires_at FROM ${staged.name} s
      WHERE s.sets_expiry AND t.ns = s.ns AND t.key = s.key AND t.expires_at IS DISTINCT FROM s.expires_at`,
    );
  }

  #tableOf(type: ValueType): string {
    if (type === 'string') return 'strings';
    return type === 'json'
      ? 'json'
      : type === 'list'
        ? 'lists'
        : (this.#elements.get(type)?.name ?? 'collections');
  }

  #table(name: string): string {
    return quotedTable({ schema: this.#options.schema, name });
  }
}
