import { asError } from '../errors/index.js';
import type { WriteOutcome } from './sink.js';

/** What came of a write, when nothing of it is open any more: what was accepted and then lost has an unknown outcome. */
export const onceSettled = async (
  writing: Promise<WriteOutcome>,
): Promise<Exclude<WriteOutcome, { kind: 'accepted' }>> => {
  const outcome = await writing;
  if (outcome.kind !== 'accepted') return outcome;
  try {
    await outcome.durable;
    return { kind: 'durable' };
  } catch (error) {
    return { kind: 'unknown', error: asError(error) };
  }
};
