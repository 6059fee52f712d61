import { ArrayRows } from '../array-rows.js';
import type { KeyPlan } from '../batch-fold.js';
import type { Step } from '../exchange.js';
import type { FieldWriter } from '../field-bytes.js';
import { quoted, quotedTable } from '../identifier.js';
import type { Column } from '../table-schema.js';
import { keyText } from '../text-bytes.js';
import type { TableMapping } from './table-mapping.js';

/**
 * What becomes of the rows of one table, by what becomes of their hashes: gone, changed if they are there, made if they are
 * not. Values go as text, which the server reads as the type of their column.
 */
export class MappedRows {
  readonly #mapping: TableMapping;
  readonly #gone: ArrayRows;
  readonly #changed: ArrayRows;
  readonly #made: ArrayRows;

  constructor(mapping: TableMapping) {
    this.#mapping = mapping;
    const key = mapping.key.map((_, at): Column => ({ name: `k${at}`, type: 'text' }));
    const values = mapping.columns.map(({ type }, at): Column => ({ name: `c${at}`, type: sentType(type) }));
    const set = mapping.columns.map((_, at): Column => ({ name: `s${at}`, type: 'boolean' }));
    const expiry: Column = { name: 'expires_at', type: 'timestamp with time zone' };
    this.#gone = new ArrayRows(key);
    this.#changed = new ArrayRows([
      ...[...key, ...values, expiry],
      ...[...set, { name: 'sets_expiry', type: 'boolean' }],
    ]);
    this.#made = new ArrayRows([...key, ...values, expiry]);
  }

  add(plan: KeyPlan): void {
    const { namespace, pattern, columns } = this.#mapping;
    if (plan.ns !== namespace) return;
    const captured = pattern.match(Buffer.from(keyText(plan.key), 'latin1').toString());
    if (captured === undefined) return;
    const isHash = plan.type === 'hash';
    const isMade = isHash && plan.isMade;
    if (!isHash || (plan.isReset && !isMade)) {
      addKey(this.#gone.start(), captured);
      return;
    }
    if (isMade) this.#addValues(this.#made.start(), captured, plan);
    const row = this.#changed.start();
    this.#addValues(row, captured, plan);
    // A hash that starts anew sets all.
    for (const { field } of columns) row.bool(plan.isReset || plan.elements?.has(field) === true);
    row.bool(plan.isReset || plan.expiry !== undefined);
  }

  steps(): readonly Step[] {
    const { gone, changed, made } = this.#statements();
    return [
      ...this.#gone.steps(gone),
      ...(changed === undefined ? [] : this.#changed.steps(changed)),
      ...this.#made.steps(made),
    ];
  }

  /** Changes of nothing, which show whether the table has the columns, a unique key, and the rights are there. */
  emptySteps(): readonly Step[] {
    const { gone, changed, made } = this.#statements();
    return [
      this.#gone.emptyStep(gone),
      ...(changed === undefined ? [] : [this.#changed.emptyStep(changed)]),
      this.#made.emptyStep(made),
    ];
  }

  #statements(): { gone: string; changed: string | undefined; made: string } {
    const { table, key, columns, expiresAt } = this.#mapping;
    const target = quotedTable(table);
    const isSame = key.map(({ name, type }, at) => `t.${quoted(name)} = s.k${at}::${type}`).join(' AND ');
    const expiry = expiresAt === undefined ? [] : [quoted(expiresAt)];
    const updates = [
      ...columns.map(
        ({ name, type }, at) =>
          `${quoted(name)} = CASE WHEN s.s${at} THEN s.c${at}::${type} ELSE t.${quoted(name)} END`,
      ),
      ...expiry.map((name) => `${name} = CASE WHEN s.sets_expiry THEN s.expires_at ELSE t.${name} END`),
    ];
    const keyNames = key.map(({ name }) => quoted(name)).join(', ');
    const names = [keyNames, ...columns.map(({ name }) => quoted(name)), ...expiry];
    const values = [
      ...key.map(({ type }, at) => `s.k${at}::${type}`),
      ...columns.map(({ type }, at) => `s.c${at}::${type}`),
      ...expiry.map(() => 's.expires_at'),
    ];
    const update = `UPDATE ${target} t SET ${updates.join(', ')} FROM ${this.#changed.from} WHERE ${isSame}`;
    return {
      gone: `DELETE FROM ${target} t USING ${this.#gone.from} WHERE ${isSame}`,
      changed: updates.length > 0 ? update : undefined,
      made: `INSERT INTO ${target} (${names.join(', ')}) SELECT ${values.join(', ')} FROM ${this.#made.from}
      ON CONFLICT (${keyNames}) DO NOTHING`,
    };
  }

  #addValues(row: FieldWriter, captured: readonly string[], plan: KeyPlan): void {
    addKey(row, captured);
    for (const { field } of this.#mapping.columns) {
      const change = plan.elements?.get(field);
      if (change?.op === 'put' && change.type === 'hash') row.bytes(change.value);
      else row.null();
    }
    if (typeof plan.expiry === 'number') row.timestamp(plan.expiry);
    else row.null();
  }
}

const sentType = (type: string): string => (type === 'bytea' ? 'bytea' : 'text');

const addKey = (row: FieldWriter, captured: readonly string[]): void => {
  for (const text of captured) row.text(text);
};
