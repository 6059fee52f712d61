import { optionWord, parseClamped } from '../arguments.js';
import type { CommandContext } from '../command-context.js';
import { type DataCommand, oneKey, readCommand, twoKeys, writeCommand } from '../data-command.js';
import { ErrorReply, type Reply, refusal } from '../reply.js';
import {
  countRange,
  noLimit,
  parseLexBound,
  parseScoreBound,
  type RangeLimit,
  selectRange,
  type ZsetRange,
} from './zset-range.js';
import { findZset, scoredReply, storeZset } from './zset-value.js';

/** What a call of the ZRANGE family asks for. */
interface RangeQuery {
  readonly range: ZsetRange;
  readonly isReverse: boolean;
  readonly limit: RangeLimit;
  readonly hasScores: boolean;
}

type RangeKind = ZsetRange['by'];

/** Reads the two bounds; `isSwapped`: the high one comes first, as in the reverse forms. */
export const parseRange = (
  by: RangeKind,
  first: Buffer,
  second: Buffer,
  isSwapped: boolean,
): ZsetRange | ErrorReply => {
  if (by === 'rank') {
    const start = parseClamped(first);
    const stop = parseClamped(second);
    return start === undefined || stop === undefined ? refusal.notInteger : { by, start, stop };
  }
  const [low, high] = isSwapped ? [second, first] : [first, second];
  if (by === 'score') {
    const min = parseScoreBound(low);
    const max = parseScoreBound(high);
    return min instanceof ErrorReply ? min : max instanceof ErrorReply ? max : { by, min, max };
  }
  const min = parseLexBound(low);
  const max = parseLexBound(high);
  return min instanceof ErrorReply ? min : max instanceof ErrorReply ? max : { by, min, max };
};

/** Parses bounds at `args[at]`, `args[at + 1]` and the options behind; `preset` are the older forms' fixed options. */
const parseQuery = (
  args: readonly Buffer[],
  at: number,
  preset?: { readonly by: RangeKind; readonly isReverse: boolean },
): RangeQuery | ErrorReply => {
  let by: RangeKind = preset?.by ?? 'rank';
  let isReverse = preset?.isReverse ?? false;
  let limit: RangeLimit | undefined;
  let hasScores = false;
  for (let i = at + 2; i < args.length; i++) {
    const word = optionWord(args[i]);
    if (word === 'WITHSCORES') hasScores = true;
    else if (word === 'LIMIT' && i + 2 < args.length) {
      const offset = parseClamped(args[++i]);
      const count = parseClamped(args[++i]);
      if (offset === undefined || count === undefined) return refusal.notInteger;
      limit = { offset, count };
    } else if (preset === undefined && word === 'BYSCORE') by = 'score';
    else if (preset === undefined && word === 'BYLEX') by = 'lex';
    else if (preset === undefined && word === 'REV') isReverse = true;
    else return refusal.syntax;
  }
  if (limit !== undefined && by === 'rank')
    return new ErrorReply(
      'ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX',
    );
  if (hasScores && by === 'lex')
    return new ErrorReply('ERR syntax error, WITHSCORES not supported in combination with BYLEX');
  const range = parseRange(by, args[at], args[at + 1], isReverse);
  return range instanceof ErrorReply ? range : { range, isReverse, limit: limit ?? noLimit, hasScores };
};

const rangeOf =
  (preset?: { readonly by: RangeKind; readonly isReverse: boolean }) =>
  (context: CommandContext, args: readonly Buffer[]): Reply => {
    const query = parseQuery(args, 2, preset);
    if (query instanceof ErrorReply) return query;
    const zset = findZset(context, args[1]);
    if (zset instanceof ErrorReply) return zset;
    if (zset === undefined) return [];
    const members = selectRange(context, zset, query.range, query.isReverse, query.limit);
    return scoredReply(members, query.hasScores);
  };

const zrangestore = (context: CommandContext, args: readonly Buffer[]): Reply => {
  const query = parseQuery(args, 3);
  if (query instanceof ErrorReply) return query;
  if (query.hasScores) return refusal.syntax;
  const zset = findZset(context, args[2]);
  if (zset instanceof ErrorReply) return zset;
  const members =
    zset === undefined ? [] : selectRange(context, zset, query.range, query.isReverse, query.limit);
  storeZset(context, args[1], members);
  return members.length;
};

const countOf =
  (by: 'score' | 'lex') =>
  (context: CommandContext, args: readonly Buffer[]): Reply => {
    const range = parseRange(by, args[2], args[3], false);
    if (range instanceof ErrorReply) return range;
    const zset = findZset(context, args[1]);
    if (zset instanceof ErrorReply) return zset;
    return zset === undefined || range.by === 'rank' ? 0 : countRange(context, zset, range);
  };

export const rangeCommands: readonly DataCommand[] = [
  readCommand('zrange', -4, oneKey, rangeOf()),
  readCommand('zrevrange', -4, oneKey, rangeOf({ by: 'rank', isReverse: true })),
  readCommand('zrangebyscore', -4, oneKey, rangeOf({ by: 'score', isReverse: false })),
  readCommand('zrevrangebyscore', -4, oneKey, rangeOf({ by: 'score', isReverse: true })),
  readCommand('zrangebylex', -4, oneKey, rangeOf({ by: 'lex', isReverse: false })),
  readCommand('zrevrangebylex', -4, oneKey, rangeOf({ by: 'lex', isReverse: true })),
  writeCommand('zrangestore', -5, twoKeys, zrangestore),
  readCommand('zcount', 4, oneKey, countOf('score')),
  readCommand('zlexcount', 4, oneKey, countOf('lex')),
];
