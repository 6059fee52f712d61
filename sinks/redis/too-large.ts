import type { Change, CommandEncoder, Rejection } from '../../src/kit/index.js';

/** The changes with a word that is too long for the target. Only asked when there is that much at all. */
export const rejectTooLarge = (
  transactions: readonly { readonly changes: readonly Change[] }[],
  from: number,
  to: number,
  encoder: CommandEncoder,
  largestWordBytes: number,
): Rejection[] => {
  const reason = `the target takes no more than ${largestWordBytes} bytes in one piece (proto-max-bulk-len)`;
  const rejections: Rejection[] = [];
  for (let transaction = from; transaction < to; transaction++)
    for (const [change, one] of transactions[transaction].changes.entries()) {
      const isTooLarge = encoder
        .toWords({ changes: [one] })
        .some((words) => words.some(({ length }) => length > largestWordBytes));
      if (isTooLarge) rejections.push({ transaction, change, reason });
    }
  return rejections;
};
