import { largestStreamId, type StreamId } from '../../encoding/stream-encoding.js';
import { optionWord, parseClamped } from '../arguments.js';
import { ErrorReply, refusal } from '../reply.js';
import { invalidId, parseStreamId, previousStreamId } from './stream-id.js';
import type { StreamValue } from './stream-value.js';

/** Which entries a trim leaves: the newest `maxLength`, or those from `minId` on; `limit` deletes at most. */
export type Trim = { readonly limit: number } & (
  | { readonly by: 'length'; readonly maxLength: number }
  | { readonly by: 'id'; readonly minId: StreamId }
);

/**
 * Parses `MAXLEN|MINID [=|~] threshold [LIMIT n]` from `args[at]` on; `next` is the place behind. An
 * approximate trim (`~`) is done exactly, which it allows.
 */
export const parseTrim = (
  args: readonly Buffer[],
  at: number,
): { readonly trim: Trim; readonly next: number } | ErrorReply => {
  const strategy = optionWord(args[at]);
  let next = at + 1;
  const mark = args[next]?.toString('latin1');
  const isApproximate = mark === '~';
  if (mark === '~' || mark === '=') next++;
  const threshold = args[next++];
  if (threshold === undefined) return refusal.syntax;
  let limit = Number.POSITIVE_INFINITY;
  if (next + 1 < args.length && optionWord(args[next]) === 'LIMIT') {
    const wanted = parseClamped(args[next + 1]);
    if (wanted === undefined || wanted < 0) return new ErrorReply('ERR The LIMIT argument must be >= 0.');
    if (!isApproximate)
      return new ErrorReply('ERR syntax error, LIMIT cannot be used without the special ~ option');
    if (wanted > 0) limit = wanted;
    next += 2;
  }
  if (strategy === 'MINID') {
    const minId = parseStreamId(threshold, 0n);
    return minId === undefined ? invalidId : { trim: { by: 'id', minId, limit }, next };
  }
  const maxLength = parseClamped(threshold);
  if (maxLength === undefined) return refusal.notInteger;
  if (maxLength < 0) return new ErrorReply('ERR The MAXLEN argument must be >= 0.');
  return { trim: { by: 'length', maxLength, limit }, next };
};

/** Deletes from the old end what the trim doesn't leave; answers how many. Metadata is the caller's to put. */
export const trimStream = (stream: StreamValue, trim: Trim): number => {
  const oldest = oldestIds(stream, trim);
  stream.remove(oldest);
  return oldest.length;
};

const oldestIds = (stream: StreamValue, trim: Trim): StreamId[] => {
  const { firstId } = stream.state; // below lie the deletes of what was trimmed before
  if (trim.by === 'length')
    return stream.ids(firstId, largestStreamId, Math.min(trim.limit, stream.length - trim.maxLength));
  const last = previousStreamId(trim.minId);
  return last === undefined ? [] : stream.ids(firstId, last, trim.limit);
};
