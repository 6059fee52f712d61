import type { Change } from '../change.js';
import { maxFolded } from './folded-sets.js';

/** The index behind the last change that says the same of the same key as the first, at most `maxFolded` away. */
export const endOfRun = (
  changes: readonly Change[],
  from: number,
  first: Change & { key: Uint8Array },
): number => {
  const { op, type, key, ns } = first;
  const limit = Math.min(changes.length, from + maxFolded);
  let end = from + 1;
  for (; end < limit; end++) {
    const change = changes[end];
    if (change.op !== op || change.type !== type || !('key' in change) || change.ns !== ns) break;
    if (change.key !== key && Buffer.compare(change.key, key) !== 0) break;
  }
  return end;
};
