import type { Transaction } from './change.js';
import { StringPutTransaction } from './decode/string-put-transaction.js';
import { WholeKeys } from './key-records/whole-keys.js';

/** How many changes a transaction has, without making them; of whole keys, how many keys: each is a change at least. */
export const countChanges = (transaction: Transaction): number => {
  if (transaction instanceof StringPutTransaction) return 1;
  return transaction instanceof WholeKeys ? transaction.keys : transaction.changes.length;
};
