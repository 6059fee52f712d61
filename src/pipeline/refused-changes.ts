import type { Logger, Rejection, SinkBatch, Transaction } from '../kit/index.js';
import type { DeadLetterTarget } from './dead-letters/dead-letters.js';
import { failed, poisoned } from './sink-errors.js';

/** What to do with a change that can never be delivered. */
export type ErrorPolicy = 'fail' | 'skip' | 'dead-letter';

export interface RefusalOptions {
  readonly pipeline: string;
  /** Name of the sink within the pipeline. */
  readonly sink: string;
  readonly poison: ErrorPolicy;
  readonly deadLetters?: DeadLetterTarget;
  readonly log: Logger;
}

/**
 * A batch without the changes that its sink refuses for good, once these are where the policy wants them: nowhere, or
 * among the dead letters, durable.
 * @throws TailraceError `SINK_POISON` when the policy is to fail; `SINK_FAILED` when no change is named
 */
export const withoutRefused = async (
  batch: SinkBatch,
  rejections: readonly Rejection[],
  { pipeline, sink, poison, deadLetters, log }: RefusalOptions,
): Promise<SinkBatch> => {
  const [first] = rejections;
  if (first === undefined) throw failed(sink, new Error('the sink rejected a batch without naming a change'));
  if (poison === 'fail')
    throw poisoned(sink, batch.transactions[first.transaction], first, rejections.length);
  if (poison === 'dead-letter')
    await deadLetters?.add(
      rejections.map(({ transaction, change, reason }) => ({
        pipeline,
        sink,
        sequence: batch.transactions[transaction].changes[change].seq,
        code: 'SINK_POISON',
        reason,
        transaction: batch.transactions[transaction],
        change: batch.transactions[transaction].changes[change],
      })),
    );
  log.warn(poison === 'skip' ? 'changes skipped that the sink refuses' : 'changes sent to the dead letters', {
    sink,
    changes: rejections.length,
    reason: first.reason,
  });
  const refusedOf = new Map<number, Set<number>>();
  for (const { transaction, change } of rejections)
    refusedOf.set(transaction, (refusedOf.get(transaction) ?? new Set()).add(change));
  const transactions = batch.transactions.map((transaction, at): Transaction => {
    const refused = refusedOf.get(at);
    if (refused === undefined) return transaction;
    return { ...transaction, changes: transaction.changes.filter((_, change) => !refused.has(change)) };
  });
  return { ...batch, transactions };
};
