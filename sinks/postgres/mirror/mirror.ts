import { type Transaction, Turns, type ValueType } from '../../../src/kit/index.js';
import { ArrayRows } from '../array-rows.js';
import { type BatchFold, foldBatch, type KeyPlan, type WholeValue } from '../batch-fold.js';
import type { Connection } from '../connection.js';
import type { Step } from '../exchange.js';
import { quoted, quotedTable, type TableName } from '../identifier.js';
import type { EncodedBatch, Layout } from '../layout.js';
import { refusedChanges } from '../refused-changes.js';
import { type Column, ensureTable } from '../table-schema.js';
import { groupSteps, groupTables } from './group-rows.js';
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

/** What is to be merged into a table; nothing when there are no steps. */
interface Merge {
  readonly table: string;
  readonly steps: readonly Step[];
}

/**
 * The current state as tables: one for each type, with a row for each string, document, field, member, element and entry;
 * `collections` has a row for each key that is neither string nor document, with its type and expiry.
 *
 * A batch is folded to one plan for each key. Then, in this order: cleared namespaces are emptied, what keys held before
 * is deleted where they start anew, whole values are merged, elements, lists, and the collections' own rows. The rows of
 * each step come as arrays and are merged by one statement.
 *
 * Nearly all keys start anew when they are set, and nearly all of these held nothing of another type. So that this is not
 * looked up for each of them, the layout knows which tables are empty: nobody else writes to them, and it looks for
 * itself at the first batch of each connection, when it holds the position's row.
 */
export class Mirror implements Layout {
  readonly isExclusive = true;
  readonly target: string;
  readonly #options: MirrorOptions;
  readonly #elements: ReadonlyMap<ValueType, ElementTable>;
  /** The tables of what collections hold, with the type of the collection. */
  readonly #parts: readonly (readonly [ValueType, string])[];
  readonly #tableNames: readonly string[];
  /** Tables that may have rows. */
  #filled = new Set<string>();
  #filledAsOf: Connection | undefined;

  constructor(options: MirrorOptions) {
    this.#options = options;
    this.target = `mirror ${options.schema}`;
    this.#elements = elementTables(options);
    const elements = [...this.#elements].map(([type, { name }]): [ValueType, string] => [type, name]);
    const groups = groupTables(options).map(({ name }): [ValueType, string] => ['stream', name]);
    this.#parts = [...elements, ...groups, ['list', listsTable(options).name]];
    this.#tableNames = ['strings', 'json', 'collections', ...this.#parts.map(([, name]) => name)];
  }

  get tables(): readonly TableName[] {
    return this.#tableNames.map((name) => ({ schema: this.#options.schema, name }));
  }

  async prepare(connection: Connection): Promise<void> {
    const { schema } = this.#options;
    const whole = (['string', 'json'] as const).map((type) => wholeTable(type, this.#options));
    for (const { name, columns } of [...whole, collectionsTable(this.#options)])
      await ensureTable(connection, { table: { schema, name }, columns, primaryKey: ['ns', 'key'] });
    const elements = [...this.#elements.values(), ...groupTables(this.#options), listsTable(this.#options)];
    for (const { name, element, contents } of elements)
      await ensureTable(connection, {
        table: { schema, name },
        columns: [...keyColumns(this.#options), ...element, ...contents],
        primaryKey: ['ns', 'key', ...element.map((column) => column.name)],
      });
    // All joins are of a few staged rows with a table that may be large: never read the whole table.
    await connection.query('SET enable_hashjoin = off; SET enable_mergejoin = off; SET jit = off');
  }

  async encode(transactions: readonly Transaction[]): Promise<EncodedBatch> {
    const rejections = await refusedChanges(transactions, (change) => refusedByMirror(change, this.#options));
    const fold = await foldBatch(rejections.length === 0 ? transactions : []);
    const turns = new Turns();
    const merges = [
      await this.#wholeRows('string', fold.plans, turns),
      await this.#wholeRows('json', fold.plans, turns),
    ];
    const changed = new Map<ValueType, KeyPlan[]>();
    for (const plan of fold.plans) {
      if (plan.type === undefined || (plan.elements === undefined && plan.groups === undefined)) continue;
      const plans = changed.get(plan.type);
      if (plans === undefined) changed.set(plan.type, [plan]);
      else plans.push(plan);
    }
    for (const [type, plans] of changed) {
      const table = this.#elements.get(type);
      if (table !== undefined) merges.push(await this.#elementRows(table, plans, turns));
      if (type !== 'stream') continue;
      const groups = await groupSteps(plans, this.#options, (part) => this.#table(part), turns);
      for (const [name, steps] of groups) merges.push({ table: name, steps });
    }
    const collections = await this.#collectionRows(fold.plans, turns);
    const lists = fold.plans.filter(({ list }) => list !== undefined);
    return {
      rejections,
      apply: async (connection) => {
        if (this.#filledAsOf !== connection) await this.#lookWhatIsFilled(connection);
        await this.#clear(connection, fold);
        await this.#reset(connection, fold.plans);
        for (const merge of merges) this.#merge(connection, merge);
        if (lists.length > 0) {
          this.#filled.add('lists');
          await applyLists(connection, this.#table('lists'), lists, this.#options);
        }
        this.#merge(connection, collections);
      },
    };
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
    const turns = new Turns();
    const filled = this.#filled;
    const rows = new ArrayRows([...keyColumns(this.#options), { name: 'kept', type: 'text' }]);
    const isAlone = new Map<ValueType | undefined, boolean>();
    for (const { ns, key, isReset, isMade, type, whole } of plans) {
      if (turns.isOverAfterStep()) await turns.next();
      if (!isReset && !isMade) continue;
      const kept = whole?.type ?? (isReset ? undefined : type);
      let isNothingElse = isAlone.get(kept);
      if (isNothingElse === undefined) {
        isNothingElse = this.#holdsOnly(kept);
        isAlone.set(kept, isNothingElse);
      }
      if (isNothingElse) continue;
      const row = rows.start();
      row.text(ns);
      row.bytes(key);
      if (kept === undefined) row.null();
      else row.text(kept);
    }
    if (rows.count === 0) return;
    const deleteFrom = (table: string, type: string): string =>
      `DELETE FROM ${this.#table(table)} t USING ${rows.from}
      WHERE t.ns = s.ns AND t.key = s.key AND s.kept IS DISTINCT FROM ${type}`;
    if (filled.has('strings')) connection.ahead(...rows.steps(deleteFrom('strings', `'string'`)));
    if (filled.has('json')) connection.ahead(...rows.steps(deleteFrom('json', `'json'`)));
    if (!filled.has('collections')) return;
    const parts = [`gone AS (${deleteFrom('collections', 't.type')} RETURNING t.ns, t.key, t.type)`];
    for (const [type, table] of this.#parts)
      if (filled.has(table))
        parts.push(
          `${quoted(table)} AS (DELETE FROM ${this.#table(table)} t USING gone
          WHERE gone.type = '${type}' AND t.ns = gone.ns AND t.key = gone.key)`,
        );
    connection.ahead(...rows.steps(`WITH ${parts.join(', ')} SELECT`));
  }

  /** True when no table but those of this type has rows. */
  #holdsOnly(type: ValueType | undefined): boolean {
    const own = this.#parts.filter((part) => part[0] === type).map(([, table]) => table);
    if (own.length > 0) own.push('collections');
    else if (type === 'string') own.push('strings');
    else if (type === 'json') own.push('json');
    for (const table of this.#filled) if (!own.includes(table)) return false;
    return true;
  }

  #merge(connection: Connection, { table, steps }: Merge): void {
    if (steps.length === 0) return;
    this.#filled.add(table);
    connection.ahead(...steps);
  }

  async #wholeRows(type: WholeValue['type'], plans: readonly KeyPlan[], turns: Turns): Promise<Merge> {
    const { name, columns } = wholeTable(type, this.#options);
    const rows = new ArrayRows(columns);
    for (const { ns, key, whole } of plans) {
      if (turns.isOverAfterStep()) await turns.next();
      if (whole?.type !== type) continue;
      const row = rows.start();
      row.text(ns);
      row.bytes(key);
      if (type === 'json') row.jsonb(whole.value);
      else row.bytes(whole.value);
      if (whole.ttlAt === undefined) row.null();
      else row.timestamp(whole.ttlAt);
    }
    const content = columns[2].name;
    const steps = rows.steps(
      `INSERT INTO ${this.#table(name)} (ns, key, ${content}, expires_at) SELECT * FROM ${rows.from}
      ON CONFLICT (ns, key) DO UPDATE SET ${content} = excluded.${content}, expires_at = excluded.expires_at`,
    );
    return { table: name, steps };
  }

  async #elementRows(table: ElementTable, plans: readonly KeyPlan[], turns: Turns): Promise<Merge> {
    const { name, element, contents, sentElement, sentContents } = table;
    const named = [
      ...keyColumns(this.#options),
      ...element.map((column) => ({ ...column, type: sentElement ?? column.type })),
    ];
    const put = new ArrayRows([
      ...named,
      ...contents.map((column) => ({ ...column, type: sentContents ?? column.type })),
    ]);
    const gone = new ArrayRows(named);
    for (const plan of plans) {
      if (plan.elements === undefined) continue;
      for (const change of plan.elements.values()) {
        if (turns.isOverAfterStep()) await turns.next();
        const isGone = change.op === 'delete';
        if (isGone && plan.isReset) continue; // went with the key
        const row = (isGone ? gone : put).start();
        row.text(plan.ns);
        row.bytes(plan.key);
        table.write(row, change);
      }
    }
    const sent = ({ name: column, type: columnType }: Column): string => `s.${quoted(column)}::${columnType}`;
    const isSame = element.map((column) => `t.${quoted(column.name)} = ${sent(column)}`).join(' AND ');
    const names = (columns: readonly Column[]): string[] => columns.map((column) => quoted(column.name));
    const key = ['ns', 'key', ...names(element)].join(', ');
    const merged = names(contents).map((column) => `${column} = ${table.merged ?? `excluded.${column}`}`);
    const steps = [
      ...gone.steps(
        `DELETE FROM ${this.#table(name)} t USING ${gone.from}
        WHERE t.ns = s.ns AND t.key = s.key AND ${isSame}`,
      ),
      ...put.steps(
        `INSERT INTO ${this.#table(name)} AS held (${[key, ...names(contents)].join(', ')})
        SELECT ${['s.ns', 's.key', ...[...element, ...contents].map(sent)].join(', ')} FROM ${put.from}
        ON CONFLICT (${key}) DO ${merged.length === 0 ? 'NOTHING' : `UPDATE SET ${merged.join(', ')}`}`,
      ),
    ];
    return { table: name, steps };
  }

  /** One row for each collection: made with its first element; changed when its expiry is, or a bitmap's size. */
  async #collectionRows(plans: readonly KeyPlan[], turns: Turns): Promise<Merge> {
    const { name, columns } = collectionsTable(this.#options);
    const made = new ArrayRows(columns);
    const expiring = new ArrayRows([...keyColumns(this.#options), ...columns.slice(3, 4)]);
    for (const { ns, key, type, expiry, size, isMade } of plans) {
      if (turns.isOverAfterStep()) await turns.next();
      if (type === undefined) continue;
      if (isMade) {
        const row = made.start();
        row.text(ns);
        row.bytes(key);
        row.text(type);
        if (typeof expiry === 'number') row.timestamp(expiry);
        else row.null();
        if (size === undefined) row.null();
        else row.int8(size);
      }
      if (expiry === undefined) continue;
      const row = expiring.start();
      row.text(ns);
      row.bytes(key);
      if (expiry === null) row.null();
      else row.timestamp(expiry);
    }
    const table = this.#table(name);
    const steps = [
      ...made.steps(
        `INSERT INTO ${table} AS held (ns, key, type, expires_at, size) SELECT * FROM ${made.from}
        ON CONFLICT (ns, key) DO UPDATE SET type = excluded.type, size = GREATEST(held.size, excluded.size)
        WHERE held.type <> excluded.type OR held.size < excluded.size OR (held.size IS NULL AND excluded.size IS NOT NULL)`,
      ),
      ...expiring.steps(
        `UPDATE ${table} t SET expires_at = s.expires_at FROM ${expiring.from}
        WHERE t.ns = s.ns AND t.key = s.key AND t.expires_at IS DISTINCT FROM s.expires_at`,
      ),
    ];
    return { table: name, steps };
  }

  #table(name: string): string {
    return quotedTable({ schema: this.#options.schema, name });
  }
}
