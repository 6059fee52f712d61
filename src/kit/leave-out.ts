import { type Transaction, withChanges } from '../data-model/index.js';
import type { Rejection, SinkBatch } from './sink.js';

/** A batch without the changes that its sink refuses. */
export const leaveOut = (batch: SinkBatch, rejections: readonly Rejection[]): SinkBatch => {
  const rejectedOf = new Map<number, Set<number>>();
  for (const { transaction, change } of rejections)
    rejectedOf.set(transaction, (rejectedOf.get(transaction) ?? new Set()).add(change));
  const transactions = batch.transactions.map((transaction, at): Transaction => {
    const rejected = rejectedOf.get(at);
    if (rejected === undefined) return transaction;
    return withChanges(
      transaction,
      transaction.changes.filter((_, change) => !rejected.has(change)),
    );
  });
  return { ...batch, transactions };
};
