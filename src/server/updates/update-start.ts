import { Engine } from '../../engine/index.js';
import type { ServerState } from '../server-state.js';
import type { UpdateRequest } from './update-request.js';

/** Where a request starts: the first sequence number that the client has not seen, or why it cannot start there. */
export type UpdateStart =
  | { readonly kind: 'at'; readonly next: number }
  | { readonly kind: 'tip'; readonly latest: number }
  | { readonly kind: 'refused'; readonly text: string };

/** The sequence number behind the one given (2^64 − 1 wraps to 0), or the first behind SINCE-TIME if that is later. */
export const startOf = (request: UpdateRequest, { store }: ServerState): UpdateStart => {
  const latest = store.durableSequence;
  let next = BigInt.asUintN(64, request.sequence + 1n);
  if (request.sinceTimeMs !== undefined) {
    if (!(store instanceof Engine))
      return { kind: 'refused', text: 'ERR this store does not know its times' };
    const behind = BigInt(Math.min(store.sequenceAt(request.sinceTimeMs), latest) + 1);
    if (behind > next) next = behind;
  }
  if (next === BigInt(latest) + 1n) return { kind: 'tip', latest };
  if (next > BigInt(latest)) return { kind: 'refused', text: 'ERR next sequence is out of range' };
  return { kind: 'at', next: Number(next) };
};

/** The refusal under STRICT when the log goes on with another sequence number than the next one. */
export const mismatch = (expected: number, got: number): string =>
  `ERR mismatched sequence number, expected ${expected} but got ${got}`;
