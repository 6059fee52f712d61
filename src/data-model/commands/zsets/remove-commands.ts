import { ColumnFamily } from '../../encoding/column-family.js';
import { encodeInternalKey } from '../../encoding/keys.js';
import type { ScoredMember } from '../../encoding/zset-encoding.js';
import { parseClamped } from '../arguments.js';
import type { CommandContext } from '../command-context.js';
import {
  blockingCommand,
  type DataCommand,
  numberedKeys,
  oneKey,
  waitsSecondsAt,
  writeCommand,
} from '../data-command.js';
import { parseMultiPop } from '../multi-pop.js';
import { doubleReply, ErrorReply, nullArray, pairsReply, type Reply, refusal } from '../reply.js';
import { ByteSet } from '../sub-keys.js';
import { parseRange } from './range-commands.js';
import { selectRange, type ZsetRange } from './zset-range.js';
import {
  deleteScored,
  deleteScorePlace,
  findZset,
  putZsetSize,
  scoreOf,
  type ZsetValue,
  zsetNote,
} from './zset-value.js';

const zrem = (context: CommandContext, args: readonly Buffer[]): Reply => {
  const zset = findZset(context, args[1]);
  if (zset === undefined) return 0;
  if (zset instanceof ErrorReply) return zset;
  const seen = new ByteSet();
  context.batch.logData(zsetNote);
  for (let i = 2; i < args.length; i++) {
    const member = args[i];
    const score = scoreOf(context, zset, member);
    if (score !== undefined && seen.add(member)) deleteScored(context, zset, member, score);
  }
  putZsetSize(context, zset, -seen.size);
  return seen.size;
};

const removeAll = (context: CommandContext, zset: ZsetValue, members: readonly ScoredMember[]): void => {
  for (const { member, score } of members) deleteScored(context, zset, member, score);
  putZsetSize(context, zset, -members.length);
};

/** Kvrocks notes the removals by score and by member, not those by rank. */
const removeRange =
  (by: ZsetRange['by']) =>
  (context: CommandContext, args: readonly Buffer[]): Reply => {
    const range = parseRange(by, args[2], args[3], false);
    if (range instanceof ErrorReply) return range;
    const zset = findZset(context, args[1]);
    if (zset === undefined) return 0;
    if (zset instanceof ErrorReply) return zset;
    const members = selectRange(context, zset, range, false);
    if (by !== 'rank') context.batch.logData(zsetNote);
    if (by === 'lex') {
      for (const { member, score } of members) {
        deleteScorePlace(context, zset, member, score);
        context.batch.delete(ColumnFamily.subKeys, encodeInternalKey(zset.prefix, member));
      }
      putZsetSize(context, zset, -members.length);
    } else removeAll(context, zset, members);
    return members.length;
  };

/** Takes up to `count` members from the low or the high end. */
const popSome = (context: CommandContext, zset: ZsetValue, isMax: boolean, count: number): ScoredMember[] => {
  if (count === 0) return [];
  const members = selectRange(context, zset, { by: 'rank', start: 0, stop: count - 1 }, isMax);
  context.batch.logData(zsetNote);
  removeAll(context, zset, members);
  return members;
};

const flat = (members: readonly ScoredMember[]): Reply[] =>
  members.flatMap(({ member, score }) => [member, doubleReply(score)]);

/** `ZPOPMIN key [count]` */
const pop =
  (isMax: boolean) =>
  (context: CommandContext, args: readonly Buffer[]): Reply => {
    if (args.length > 3) return refusal.syntax;
    const count = args.length === 3 ? parseClamped(args[2]) : 1;
    if (count === undefined || count < 0) return refusal.notPositive;
    const zset = findZset(context, args[1]);
    if (zset instanceof ErrorReply) return zset;
    const members = zset === undefined ? [] : popSome(context, zset, isMax, count);
    return args.length === 3 ? pairsReply(flat(members)) : flat(members);
  };

const firstZset = (context: CommandContext, keys: readonly Buffer[]): ZsetValue | undefined | ErrorReply => {
  for (const key of keys) {
    const zset = findZset(context, key);
    if (zset !== undefined) return zset;
  }
  return undefined;
};

/** `BZPOPMIN key [key …] timeout` */
const blockingPop =
  (isMax: boolean) =>
  (context: CommandContext, args: readonly Buffer[]): Reply => {
    const zset = firstZset(context, args.slice(1, -1));
    if (zset === undefined) return nullArray;
    if (zset instanceof ErrorReply) return zset;
    return [Buffer.from(zset.key), ...flat(popSome(context, zset, isMax, 1))];
  };

/** `ZMPOP numkeys key [key …] MIN|MAX [COUNT n]`, its keys from `args[at + 1]` on. */
const multiPop =
  (at: number) =>
  (context: CommandContext, args: readonly Buffer[]): Reply => {
    const wanted = parseMultiPop(args, at, ends);
    if (wanted instanceof ErrorReply) return wanted;
    const zset = firstZset(context, wanted.keys);
    if (zset === undefined) return nullArray;
    if (zset instanceof ErrorReply) return zset;
    const members = popSome(context, zset, wanted.end === 'max', wanted.count);
    return [Buffer.from(zset.key), members.map(({ member, score }) => [member, doubleReply(score)])];
  };

const ends: ReadonlyMap<string, 'min' | 'max'> = new Map([
  ['MIN', 'min'],
  ['MAX', 'max'],
]);

const keysBeforeTimeout = { first: 1, last: -2, step: 1 };

export const removeCommands: readonly DataCommand[] = [
  writeCommand('zrem', -3, oneKey, zrem),
  writeCommand('zremrangebyrank', 4, oneKey, removeRange('rank')),
  writeCommand('zremrangebyscore', 4, oneKey, removeRange('score')),
  writeCommand('zremrangebylex', 4, oneKey, removeRange('lex')),
  writeCommand('zpopmin', -2, oneKey, pop(false)),
  writeCommand('zpopmax', -2, oneKey, pop(true)),
  writeCommand('zmpop', -4, numberedKeys(1), multiPop(1)),
  blockingCommand('bzpopmin', -3, keysBeforeTimeout, waitsSecondsAt(-1, 'zset'), blockingPop(false)),
  blockingCommand('bzpopmax', -3, keysBeforeTimeout, waitsSecondsAt(-1, 'zset'), blockingPop(true)),
  blockingCommand('bzmpop', -5, numberedKeys(2), waitsSecondsAt(1, 'zset'), multiPop(2)),
];
