import type { Change, Rejection, Transaction } from '../../src/kit/index.js';

/** The changes that a layout cannot take, each with the reason that `reasonAgainst` gives. */
export const refusedChanges = (
  transactions: readonly Transaction[],
  reasonAgainst: (change: Change) => string | undefined,
): Rejection[] => {
  const rejections: Rejection[] = [];
  for (let transaction = 0; transaction < transactions.length; transaction++) {
    const { changes } = transactions[transaction];
    for (let change = 0; change < changes.length; change++) {
      const reason = reasonAgainst(changes[change]);
      if (reason !== undefined) rejections.push({ transaction, change, reason });
    }
  }
  return rejections;
};
