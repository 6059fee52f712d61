import { Turns } from '../../../src/kit/index.js';
import { ArrayRows } from '../array-rows.js';
import type { KeyPlan } from '../batch-fold.js';
import type { Connection } from '../connection.js';
import { type ListEnds, ListWindow } from './list-window.js';
import { type ByteColumns, keyColumns, listsTable } from './mirror-tables.js';

/** Carries out the edits of lists: reads their ends, deletes what fell outside, merges what was written. */
export const applyLists = async (
  connection: Connection,
  table: string,
  plans: readonly KeyPlan[],
  bytes: ByteColumns,
): Promise<void> => {
  const ends = await readEnds(connection, table, plans, bytes);
  const turns = new Turns();
  const windows = new ArrayRows([
    ...keyColumns(bytes),
    { name: 'first', type: 'bigint' },
    { name: 'next', type: 'bigint' },
  ]);
  const { element, contents } = listsTable(bytes);
  const written = new ArrayRows([...keyColumns(bytes), ...element, ...contents]);
  for (const [at, { ns, key, list }] of plans.entries()) {
    const before = ends[at];
    const window = new ListWindow(before);
    for (const change of list ?? []) {
      window.apply(change);
      if (turns.isOverAfterStep()) await turns.next();
    }
    const { first, next } = window.ends;
    if (first > before.first || next < before.next) {
      const row = windows.start();
      row.text(ns);
      row.bytes(key);
      row.int8(first);
      row.int8(next);
    }
    for (const [position, value] of window.written()) {
      if (turns.isOverAfterStep()) await turns.next();
      const row = written.start();
      row.text(ns);
      row.bytes(key);
      row.int8(position);
      row.bytes(value);
    }
  }
  const isOutside = 't.position < s.first OR t.position >= s.next';
  connection.ahead(
    ...windows.steps(
      `DELETE FROM ${table} t USING ${windows.from} WHERE t.ns = s.ns AND t.key = s.key AND (${isOutside})`,
    ),
    ...written.steps(
      `INSERT INTO ${table} (ns, key, position, value) SELECT * FROM ${written.from}
      ON CONFLICT (ns, key, position) DO UPDATE SET value = excluded.value`,
    ),
  );
};

/** Where each list stands in the table now; a list that starts anew, or is not there, stands at 0. */
const readEnds = async (
  connection: Connection,
  table: string,
  plans: readonly KeyPlan[],
  bytes: ByteColumns,
): Promise<readonly ListEnds[]> => {
  const asked = new ArrayRows([...keyColumns(bytes), { name: 'place', type: 'integer' }]);
  for (const [at, { ns, key, isReset }] of plans.entries()) {
    if (isReset) continue;
    const row = asked.start();
    row.text(ns);
    row.bytes(key);
    row.int4(at);
  }
  const ends: ListEnds[] = plans.map(() => ({ first: 0, next: 0 }));
  for (const arrays of asked.values()) {
    const { rows } = await connection.query<{ place: number; first: string | null; last: string | null }>(
      `SELECT s.place,
        (SELECT min(t.position) FROM ${table} t WHERE t.ns = s.ns AND t.key = s.key) AS first,
        (SELECT max(t.position) FROM ${table} t WHERE t.ns = s.ns AND t.key = s.key) AS last
      FROM ${asked.from}`,
      arrays,
    );
    for (const { place, first, last } of rows)
      if (first !== null && last !== null) ends[place] = { first: Number(first), next: Number(last) + 1 };
  }
  return ends;
};
