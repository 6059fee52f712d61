import { TailraceError } from '../../errors/index.js';
import { type CheckpointEntry, isExpired } from './checkpoint.js';

/**
 * Finds what a reference means: an id, its first 4 or more characters, a name (the newest live checkpoint with it;
 * `name:` before it when it could be taken for an id), or `@latest`.
 * @throws TailraceError `CHECKPOINT_NOT_FOUND`
 */
export const findCheckpoint = <Holder extends { readonly entry: CheckpointEntry }>(
  all: readonly Holder[],
  reference: string,
  nowMs: number,
): Holder => {
  const newestFirst = [...all].sort(
    (a, b) => b.entry.sequence - a.entry.sequence || b.entry.created.localeCompare(a.entry.created),
  );
  const live = newestFirst.filter(({ entry }) => !isExpired(entry, nowMs));
  if (reference === '@latest') return live[0] ?? notFound(reference);
  if (reference.startsWith('name:'))
    return live.find(({ entry }) => entry.name === reference.slice(5)) ?? notFound(reference);
  const whole = all.find(({ entry }) => entry.id === reference);
  if (whole !== undefined) return whole;
  const named = live.find(({ entry }) => entry.name === reference);
  if (named !== undefined) return named;
  const begun = reference.length < 4 ? [] : all.filter(({ entry }) => entry.id.startsWith(reference));
  if (begun.length > 1) throw ambiguous(reference, begun.length);
  return begun[0] ?? notFound(reference);
};

const notFound = (reference: string): never => {
  throw new TailraceError('CHECKPOINT_NOT_FOUND', `there is no checkpoint ${reference}`, {
    context: { reference },
    remedy: 'List the checkpoints: name one by its id, the beginning of it, or its name.',
  });
};

const ambiguous = (reference: string, count: number): TailraceError =>
  new TailraceError('CHECKPOINT_NOT_FOUND', `${count} checkpoints have ids that begin with ${reference}`, {
    context: { reference, count },
    remedy: 'Give more characters of the id.',
  });
