import { type Change, type Rejection, type Transaction, withChanges } from '../../src/kit/index.js';
import type { Connection } from './connection.js';
import type { Layout } from './layout.js';
import { errorKind, reasonOf } from './refusal.js';

/**
 * The change that makes the server refuse these transactions, found by halving: the shortest beginning that fails ends
 * with it. Each try is a transaction that is rolled back. Undefined when all of it succeeds now.
 * @throws what the server says when it has other reasons than the data
 */
export const findRefused = async (
  connection: Connection,
  layout: Layout,
  transactions: readonly Transaction[],
): Promise<Rejection | undefined> => {
  const total = transactions.reduce((sum, { changes }) => sum + changes.length, 0);
  let reason = await refusalOf(connection, layout, transactions, total);
  if (reason === undefined) return undefined;
  let fine = 0;
  let failing = total;
  while (failing - fine > 1) {
    const middle = (fine + failing) >>> 1;
    const refusal = await refusalOf(connection, layout, transactions, middle);
    if (refusal === undefined) fine = middle;
    else {
      failing = middle;
      reason = refusal;
    }
  }
  return { ...placeOf(transactions, failing - 1), reason };
};

/** Why the first `count` changes are refused; undefined when they are not. */
const refusalOf = async (
  connection: Connection,
  layout: Layout,
  transactions: readonly Transaction[],
  count: number,
): Promise<string | undefined> => {
  connection.ahead('BEGIN');
  try {
    const encoded = await layout.encode(firstChanges(transactions, count));
    await encoded.apply(connection);
    // Constraints that are checked at the commit.
    await connection.query('SET CONSTRAINTS ALL IMMEDIATE');
    return undefined;
  } catch (error) {
    if (errorKind(error) !== 'data') throw error;
    return reasonOf(error);
  } finally {
    await connection.rollback();
  }
};

const firstChanges = (transactions: readonly Transaction[], count: number): Transaction[] => {
  let left = count;
  const taken: Transaction[] = [];
  for (const transaction of transactions) {
    if (left === 0) break;
    const changes: readonly Change[] = transaction.changes.slice(0, left);
    taken.push(withChanges(transaction, changes));
    left -= changes.length;
  }
  return taken;
};

const placeOf = (
  transactions: readonly Transaction[],
  at: number,
): { transaction: number; change: number } => {
  let change = at;
  let transaction = 0;
  for (; change >= transactions[transaction].changes.length; transaction++)
    change -= transactions[transaction].changes.length;
  return { transaction, change };
};
