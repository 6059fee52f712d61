import { optionWord, parseClamped, parseInteger } from './arguments.js';
import { ErrorReply, refusal } from './reply.js';

/** What LMPOP, ZMPOP and their blocking forms ask for: up to `count` elements from one end of the first key that has any. */
export interface MultiPop<End> {
  /** Borrowed from the arguments. */
  readonly keys: readonly Buffer[];
  readonly end: End;
  readonly count: number;
}

/** Parses `numkeys key [key …] end [COUNT n]` from `args[at]` on; `ends`: what the words for an end mean. */
export const parseMultiPop = <End>(
  args: readonly Buffer[],
  at: number,
  ends: ReadonlyMap<string, End>,
): MultiPop<End> | ErrorReply => {
  const keyCount = parseInteger(args[at]);
  if (keyCount === undefined || keyCount < 1) return new ErrorReply('ERR numkeys should be greater than 0');
  const endAt = at + 1 + keyCount;
  const end = endAt < args.length ? ends.get(optionWord(args[endAt])) : undefined;
  if (end === undefined) return refusal.syntax;
  const keys = args.slice(at + 1, endAt);
  if (args.length === endAt + 1) return { keys, end, count: 1 };
  if (args.length !== endAt + 3 || optionWord(args[endAt + 1]) !== 'COUNT') return refusal.syntax;
  const count = parseClamped(args[endAt + 2]);
  if (count === undefined || count < 1) return new ErrorReply('ERR count should be greater than 0');
  return { keys, end, count };
};
