import type { Turns } from '../../../src/kit/index.js';
import { ArrayRows } from '../array-rows.js';
import type { KeyPlan } from '../batch-fold.js';
import type { Step } from '../exchange.js';
import type { FieldWriter } from '../field-bytes.js';
import type { GroupFold } from '../group-fold.js';
import { quoted } from '../identifier.js';
import type { Column } from '../table-schema.js';
import { type ByteColumns, keyColumns } from './mirror-tables.js';

/** A table of the groups of streams: what names a row, and what it holds. */
export interface GroupTable {
  readonly name: 'stream_groups' | 'stream_consumers' | 'stream_pending';
  readonly element: readonly Column[];
  readonly contents: readonly Column[];
}

export const groupTables = ({ keys }: ByteColumns): readonly GroupTable[] => {
  const group: Column = { name: 'group_name', type: keys };
  const consumer: Column = { name: 'consumer', type: keys };
  return [
    {
      name: 'stream_groups',
      element: [group],
      contents: [
        { name: 'last_ms', type: idHalf },
        { name: 'last_seq', type: idHalf },
        { name: 'entries_read', type: 'bigint' },
      ],
    },
    { name: 'stream_consumers', element: [group, consumer], contents: [] },
    {
      name: 'stream_pending',
      element: [group, { name: 'ms', type: idHalf }, { name: 'seq', type: idHalf }],
      contents: [
        consumer,
        { name: 'delivered_at', type: 'timestamp with time zone' },
        { name: 'deliveries', type: 'bigint' },
      ],
    },
  ];
};

/** The statements that bring the groups of streams up to date; first those of groups that are gone. */
export const groupSteps = async (
  plans: readonly KeyPlan[],
  bytes: ByteColumns,
  tableOf: (name: GroupTable['name']) => string,
  turns: Turns,
): Promise<ReadonlyMap<GroupTable['name'], readonly Step[]>> => {
  const steps = new Map<GroupTable['name'], readonly Step[]>();
  for (const table of groupTables(bytes)) {
    const rows = new GroupRows(table, bytes);
    for (const plan of plans)
      for (const fold of plan.groups?.values() ?? []) {
        if (fold.isDestroyed && !plan.isReset) rows.addDestroyed(plan, fold);
        for (const _ of rows.add(plan, fold)) if (turns.isOverAfterStep()) await turns.next();
      }
    steps.set(table.name, rows.steps(tableOf(table.name)));
  }
  return steps;
};

/** Halves of an id go up to 2^64; they are sent as text. */
const idHalf = 'numeric(20,0)';

const sent = (column: Column): Column => (column.type === idHalf ? { ...column, type: 'text' } : column);

class GroupRows {
  readonly #table: GroupTable;
  readonly #destroyed: ArrayRows;
  readonly #gone: ArrayRows;
  readonly #put: ArrayRows;

  constructor(table: GroupTable, bytes: ByteColumns) {
    this.#table = table;
    const named = [...keyColumns(bytes), ...table.element.map(sent)];
    this.#destroyed = new ArrayRows(named.slice(0, 3));
    this.#gone = new ArrayRows(named);
    this.#put = new ArrayRows([...named, ...table.contents.map(sent)]);
  }

  addDestroyed(plan: KeyPlan, { group }: GroupFold): void {
    startRow(this.#destroyed, plan, group);
  }

  /** Yields behind each row. */
  *add(plan: KeyPlan, { group, state, consumers, pending }: GroupFold): Generator<void> {
    switch (this.#table.name) {
      case 'stream_groups': {
        if (state === undefined) return;
        const row = startRow(this.#put, plan, group);
        addId(row, state.lastDelivered);
        if (state.entriesRead < 0) row.null();
        else row.int8(state.entriesRead);
        yield;
        return;
      }
      case 'stream_consumers':
        for (const { consumer, isGone } of consumers.values()) {
          startRow(isGone ? this.#gone : this.#put, plan, group).bytes(consumer);
          yield;
        }
        return;
      case 'stream_pending':
        for (const [id, entry] of pending) {
          const row = startRow(entry === null ? this.#gone : this.#put, plan, group);
          addId(row, id);
          if (entry !== null) {
            row.bytes(entry.consumer);
            row.timestamp(entry.deliveredAt);
            row.int8(entry.deliveries);
          }
          yield;
        }
    }
  }

  steps(table: string): readonly Step[] {
    const { element, contents } = this.#table;
    const isSame = (columns: readonly Column[]): string =>
      columns.map(({ name, type }) => `t.${quoted(name)} = s.${quoted(name)}::${type}`).join(' AND ');
    const deleteOf = (rows: ArrayRows, columns: readonly Column[]): readonly Step[] =>
      rows.steps(
        `DELETE FROM ${table} t USING ${rows.from} WHERE t.ns = s.ns AND t.key = s.key AND ${isSame(columns)}`,
      );
    const all = [...element, ...contents];
    const names = (columns: readonly Column[]): string =>
      ['ns', 'key', ...columns.map(({ name }) => quoted(name))].join(', ');
    const updates = contents.map(({ name }) => `${quoted(name)} = excluded.${quoted(name)}`);
    const values = all.map(({ name, type }) => `s.${quoted(name)}::${type}`).join(', ');
    return [
      ...deleteOf(this.#destroyed, element.slice(0, 1)),
      ...deleteOf(this.#gone, element),
      ...this.#put.steps(
        `INSERT INTO ${table} (${names(all)}) SELECT s.ns, s.key, ${values} FROM ${this.#put.from}
        ON CONFLICT (${names(element)}) DO ${updates.length === 0 ? 'NOTHING' : `UPDATE SET ${updates.join(', ')}`}`,
      ),
    ];
  }
}

const startRow = (rows: ArrayRows, { ns, key }: KeyPlan, group: Buffer): FieldWriter => {
  const row = rows.start();
  row.text(ns);
  row.bytes(key);
  row.bytes(group);
  return row;
};

const addId = (row: FieldWriter, id: string): void => {
  const dash = id.indexOf('-');
  row.text(id.slice(0, dash));
  row.text(id.slice(dash + 1));
};
