import { type Logger, leaveOut, type Rejection, type SinkBatch } from '../kit/index.js';
import type { DeadLetterTarget } from './dead-letters/dead-letters.js';
import { failed, poisoned, poisonedWhole } from './sink-errors.js';

/** What to do with a change that can never be delivered. */
export type ErrorPolicy = 'fail' | 'skip' | 'dead-letter';

export interface RefusalOptions {
  readonly pipeline: string;
  /** Name of the sink within the pipeline. */
  readonly sink: string;
  readonly poison: ErrorPolicy;
  /** The sink takes transactions whole: none can be left without some of its changes. */
  readonly takesWholeBatches: boolean;
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
  { pipeline, sink, poison, takesWholeBatches, deadLetters, log }: RefusalOptions,
): Promise<SinkBatch> => {
  const [first] = rejections;
  if (first === undefined) throw failed(sink, new Error('the sink rejected a batch without naming a change'));
  if (poison === 'fail')
    throw takesWholeBatches
      ? poisonedWhole(sink, batch.transactions[first.transaction], first)
      : poisoned(sink, batch.transactions[first.transaction], first, rejections.length);
  if (poison === 'dead-letter')
    await deadLetters?.add(
      rejections.map(({ transaction: at, change: place, reason }) => {
        const transaction = batch.transactions[at];
        const letter = { pipeline, sink, code: 'SINK_POISON', reason, transaction };
        if (takesWholeBatches) return { ...letter, sequence: transaction.first };
        const change = transaction.changes[place];
        return { ...letter, sequence: change.seq, change };
      }),
    );
  log.warn(poison === 'skip' ? 'changes skipped that the sink refuses' : 'changes sent to the dead letters', {
    sink,
    [takesWholeBatches ? 'batches' : 'changes']: rejections.length,
    reason: first.reason,
  });
  if (takesWholeBatches) {
    const refused = new Set(rejections.map(({ transaction }) => transaction));
    return { ...batch, transactions: batch.transactions.filter((_, at) => !refused.has(at)) };
  }
  return leaveOut(batch, rejections);
};
