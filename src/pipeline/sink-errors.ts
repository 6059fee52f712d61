import { isTailraceError, messageOf, type Rejection, TailraceError, type Transaction } from '../kit/index.js';

/** Another process has the sink. */
export const fenced = (sink: string, cause: Error): TailraceError =>
  new TailraceError('SINK_FENCED', `sink ${sink} was claimed by another process: ${cause.message}`, {
    context: { sink },
    remedy: 'Run one process for each pipeline name; this one has stopped and changed nothing more.',
    cause,
  });

/** The sink's own error, or that it failed. */
export const failed = (sink: string, cause: Error): TailraceError =>
  isTailraceError(cause)
    ? cause
    : new TailraceError('SINK_FAILED', `sink ${sink} failed: ${cause.message}`, {
        context: { sink },
        remedy: 'Mend the target and start the pipeline again: it goes on where the sink stands.',
        cause,
      });

/** The sink holds a batch that the source does not have there. */
export const otherHistory = (sink: string, sequence: number): TailraceError =>
  new TailraceError('HISTORY_MISMATCH', `sink ${sink} holds another history at ${sequence}`, {
    context: { sink, sequence },
    remedy: 'The source was restored or failed over: start again from a new snapshot, or reset the position.',
  });

/** The sink refuses a change for good, and the policy is to stop there. */
export const poisoned = (
  sink: string,
  transaction: Transaction,
  rejection: Rejection,
  count: number,
): TailraceError => {
  const change = transaction.changes[rejection.change];
  const key = 'key' in change ? ` of key ${JSON.stringify(Buffer.from(change.key).toString())}` : '';
  const others = count > 1 ? ` (and ${count - 1} more changes)` : '';
  return new TailraceError(
    'SINK_POISON',
    `sink ${sink} refuses the ${change.op} ${change.type}${key} at sequence number ${change.seq}: ${rejection.reason}${others}`,
    {
      context: { sink, sequence: change.seq },
      remedy: 'Mend the target, or set errors.poison to skip or dead-letter.',
    },
  );
};

/** The same of a sink that takes whole batches. */
export const poisonedWhole = (
  sink: string,
  { first, last }: Transaction,
  { reason }: Rejection,
): TailraceError =>
  new TailraceError('SINK_POISON', `sink ${sink} refuses the batch ${first} to ${last}: ${reason}`, {
    context: { sink, sequence: first },
    remedy: 'Mend the target, or set errors.poison to skip or dead-letter.',
  });

/** What one sink of a pipeline failed at. */
export interface SinkFailure {
  readonly sink: string;
  readonly error: unknown;
}

/** The one error of a pipeline: the failure itself when there is one, else what all of them say, with the code of the first. */
export const failureOf = (pipeline: string, failures: readonly SinkFailure[]): unknown => {
  const errors = [...new Set(failures.map(({ error }) => error))];
  const [first] = errors;
  if (errors.length === 1) return first;
  const texts = failures.map(({ sink, error }) => {
    const text = messageOf(error);
    return text.startsWith(`sink ${sink} `) ? text : `sink ${sink}: ${text}`;
  });
  const remedies = errors.flatMap((error) => (isTailraceError(error) ? [error.remedy] : []));
  return new TailraceError(
    isTailraceError(first) ? first.code : 'SINK_FAILED',
    `${failures.length} sinks of pipeline ${pipeline} failed: ${texts.join('; ')}`,
    {
      context: { pipeline, sinks: failures.map(({ sink }) => sink).join(', ') },
      remedy: [...new Set(remedies)].filter((remedy) => remedy !== '').join(' '),
      cause: first,
    },
  );
};
