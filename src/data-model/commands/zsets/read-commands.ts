import { ColumnFamily } from '../../encoding/column-family.js';
import { encodeScoreKey } from '../../encoding/zset-encoding.js';
import { optionWord, parseClamped } from '../arguments.js';
import type { CommandContext } from '../command-context.js';
import { type DataCommand, oneKey, readCommand } from '../data-command.js';
import { chooseEntries, maxRepeats } from '../random-choice.js';
import { doubleReply, ErrorReply, nullArray, type Reply, refusal } from '../reply.js';
import { parseScanOptions, scanEntries, scanReply, scanStart } from '../scan.js';
import { prefixRange } from './zset-range.js';
import { findZset, scoredReply, scoreIn, scoreOf, scoreText, type ZsetValue } from './zset-value.js';

const zcard = (context: CommandContext, args: readonly Buffer[]): Reply => {
  const metadata = context.find(args[1], 'zset');
  return metadata instanceof ErrorReply ? metadata : (metadata?.size ?? 0);
};

const zscore = (context: CommandContext, args: readonly Buffer[]): Reply => {
  const zset = findZset(context, args[1]);
  if (zset instanceof ErrorReply) return zset;
  const score = zset === undefined ? undefined : scoreOf(context, zset, args[2]);
  return score === undefined ? null : doubleReply(score);
};

const zmscore = (context: CommandContext, args: readonly Buffer[]): Reply => {
  const zset = findZset(context, args[1]);
  if (zset instanceof ErrorReply) return zset;
  return args.slice(2).map((member) => {
    const score = zset === undefined ? undefined : scoreOf(context, zset, member);
    return score === undefined ? null : doubleReply(score);
  });
};

/** `ZRANK key member [WITHSCORE]` */
const rank =
  (isReverse: boolean) =>
  (context: CommandContext, args: readonly Buffer[]): Reply => {
    const hasScore = args.length === 4 && optionWord(args[3]) === 'WITHSCORE';
    if (args.length > 4 || (args.length === 4 && !hasScore)) return refusal.syntax;
    const nothing = hasScore ? nullArray : null;
    const member = args[2];
    const zset = findZset(context, args[1]);
    if (zset instanceof ErrorReply) return zset;
    const score = zset === undefined ? undefined : scoreOf(context, zset, member);
    if (zset === undefined || score === undefined) return nothing;
    const before = countBefore(context, zset, encodeScoreKey(zset.prefix, score, member), isReverse);
    return hasScore ? [before, doubleReply(score)] : before;
  };

/**
 * How many places lie before one, from the low end or (`isReverse`) from the high end. Counts them from both ends at
 * once, without reading them, so that it takes longer the further the place is from the nearer end.
 */
const countBefore = (context: CommandContext, zset: ZsetValue, place: Buffer, isReverse: boolean): number => {
  const all = prefixRange(zset.prefix);
  const columnFamily = ColumnFamily.scores;
  const below = context.reader.iterate({ columnFamily, begin: all.begin, end: place });
  const fromPlace = context.reader.iterate({ columnFamily, ...all, begin: place });
  const { size } = zset.metadata;
  try {
    for (let passed = 0; ; passed++) {
      if (!below.valid) return isReverse ? size - 1 - passed : passed;
      if (!fromPlace.valid) return isReverse ? passed - 1 : size - passed;
      below.next();
      fromPlace.next();
    }
  } finally {
    below.close();
    fromPlace.close();
  }
};

const zscan = (context: CommandContext, args: readonly Buffer[]): Reply => {
  const options = parseScanOptions(args, 3);
  if (options instanceof ErrorReply) return options;
  const zset = findZset(context, args[1]);
  if (zset instanceof ErrorReply) return zset;
  const begin = scanStart(context, args[2], zset?.prefix ?? noBytes);
  if (begin === undefined) return refusal.invalidCursor;
  if (zset === undefined) return scanReply(0, []);
  const { cursor, found } = scanEntries(
    context,
    ColumnFamily.subKeys,
    zset.prefix,
    begin,
    options,
    ({ value }, member) => [Buffer.from(member), scoreText(scoreIn(value))],
  );
  return scanReply(cursor, found.flat());
};

/** `ZRANDMEMBER key [count [WITHSCORES]]` */
const zrandmember = (context: CommandContext, args: readonly Buffer[]): Reply => {
  const count = args.length > 2 ? parseClamped(args[2]) : 1;
  if (count === undefined) return refusal.notInteger;
  if (count < -maxRepeats) return refusal.countOutOfRange;
  const hasScores = args.length === 4 && optionWord(args[3]) === 'WITHSCORES';
  if (args.length > 4 || (args.length === 4 && !hasScores)) return refusal.syntax;
  const zset = findZset(context, args[1]);
  if (zset instanceof ErrorReply) return zset;
  if (zset === undefined) return args.length === 2 ? null : [];
  const chosen = chooseEntries(context, zset.prefix, zset.metadata.size, count).map(({ subKey, value }) => ({
    member: subKey,
    score: scoreIn(value),
  }));
  return args.length === 2 ? (chosen[0]?.member ?? null) : scoredReply(chosen, hasScores);
};

const noBytes = Buffer.alloc(0);

export const zsetReadCommands: readonly DataCommand[] = [
  readCommand('zcard', 2, oneKey, zcard),
  readCommand('zscore', 3, oneKey, zscore),
  readCommand('zmscore', -3, oneKey, zmscore),
  readCommand('zrank', -3, oneKey, rank(false)),
  readCommand('zrevrank', -3, oneKey, rank(true)),
  readCommand('zscan', -3, oneKey, zscan),
  readCommand('zrandmember', -2, oneKey, zrandmember),
];
