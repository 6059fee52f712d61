import { type Change, type Rejection, type Transaction, Turns } from '../../src/kit/index.js';

/** The changes that a layout cannot take, each with the reason that `reasonAgainst` gives. */
export const refusedChanges = async (
  transactions: readonly Transaction[],
  reasonAgainst: (change: Change) => string | undefined,
): Promise<Rejection[]> => {
  const turns = new Turns();
  const rejections: Rejection[] = [];
  for (let transaction = 0; transaction < transactions.length; transaction++) {
    const { changes } = transactions[transaction];
    for (let change = 0; change < changes.length; change++) {
      const reason = reasonAgainst(changes[change]);
      if (reason !== undefined) rejections.push({ transaction, change, reason });
      if (turns.isOverAfterStep()) await turns.next();
    }
  }
  return rejections;
};
