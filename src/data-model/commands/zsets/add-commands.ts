import { optionWord, parseDouble } from '../arguments.js';
import type { CommandContext } from '../command-context.js';
import { type DataCommand, oneKey, writeCommand } from '../data-command.js';
import { doubleReply, ErrorReply, type Reply, refusal } from '../reply.js';
import {
  createZset,
  deleteScorePlace,
  findZset,
  putScored,
  putZsetSize,
  scoreOf,
  type ZsetValue,
  zsetNote,
} from './zset-value.js';

/** The options of `ZADD key [NX|XX] [GT|LT] [CH] [INCR] score member …`. */
export interface AddOptions {
  readonly isNx: boolean;
  readonly isXx: boolean;
  readonly isGt: boolean;
  readonly isLt: boolean;
  readonly countsChanged: boolean;
  readonly increments: boolean;
}

interface Update {
  readonly member: Buffer;
  readonly oldScore: number | undefined;
  score: number;
}

const noOptions: AddOptions = {
  isNx: false,
  isXx: false,
  isGt: false,
  isLt: false,
  countsChanged: false,
  increments: false,
};

const notANumber = new ErrorReply('ERR resulting score is not a number (NaN)');

/** Parses ZADD's options from `args[2]` on; `next` is where the first score stands. */
const parseAddOptions = (
  args: readonly Buffer[],
): { readonly options: AddOptions; readonly next: number } | ErrorReply => {
  const words = new Set<string>();
  let next = 2;
  for (; next < args.length; next++) {
    const word = optionWord(args[next]);
    if (!['NX', 'XX', 'GT', 'LT', 'CH', 'INCR'].includes(word)) break;
    words.add(word);
  }
  const options = {
    isNx: words.has('NX'),
    isXx: words.has('XX'),
    isGt: words.has('GT'),
    isLt: words.has('LT'),
    countsChanged: words.has('CH'),
    increments: words.has('INCR'),
  };
  const pairs = (args.length - next) / 2;
  if (pairs < 1 || !Number.isInteger(pairs)) return refusal.syntax;
  if (options.isNx && options.isXx)
    return new ErrorReply('ERR XX and NX options at the same time are not compatible');
  if ((options.isGt && options.isLt) || (options.isNx && (options.isGt || options.isLt)))
    return new ErrorReply('ERR GT, LT, and/or NX options at the same time are not compatible');
  if (options.increments && pairs > 1)
    return new ErrorReply('ERR INCR option supports a single increment-element pair');
  return { options, next };
};

interface AddResult {
  readonly added: number;
  readonly changed: number;
  /** of the last pair; undefined when its conditions kept it from being set */
  readonly score: number | undefined;
}

/**
 * Applies pairs of score and member in order, then writes them from the last to the first, as Kvrocks does.
 */
export const addScored = (
  context: CommandContext,
  zset: ZsetValue,
  pairs: readonly { readonly member: Buffer; readonly score: number }[],
  options: AddOptions,
): AddResult | ErrorReply => {
  const updates = new Map<string, Update>();
  let added = 0;
  let changed = 0;
  let last: number | undefined;
  for (const { member, score } of pairs) {
    const name = member.toString('latin1');
    const pending = updates.get(name);
    const current = pending === undefined ? scoreOf(context, zset, member) : pending.score;
    last = undefined;
    if (current === undefined ? options.isXx : options.isNx) continue;
    const wanted = options.increments && current !== undefined ? current + score : score;
    if (Number.isNaN(wanted)) return notANumber;
    if (current !== undefined && options.isGt && wanted <= current) continue;
    if (current !== undefined && options.isLt && wanted >= current) continue;
    last = wanted;
    if (current === undefined) added++;
    else if (current !== wanted) changed++;
    else continue;
    if (pending === undefined) updates.set(name, { member, oldScore: current, score: wanted });
    else pending.score = wanted;
  }
  context.batch.logData(zsetNote);
  for (const { member, oldScore, score } of [...updates.values()].reverse()) {
    if (oldScore !== undefined) deleteScorePlace(context, zset, member, oldScore);
    putScored(context, zset, member, score);
  }
  putZsetSize(context, zset, added);
  return { added, changed, score: last };
};

/** `ZADD key score member`, the common call: without options nothing is collected. Hot. */
const addOne = (context: CommandContext, args: readonly Buffer[]): Reply => {
  const score = parseDouble(args[2]);
  if (score === undefined) return refusal.notFloat;
  const key = args[1];
  const member = args[3];
  const zset = findZset(context, key) ?? createZset(context, key);
  if (zset instanceof ErrorReply) return zset;
  const old = scoreOf(context, zset, member);
  if (old === score) return 0;
  context.batch.logData(zsetNote);
  if (old !== undefined) deleteScorePlace(context, zset, member, old);
  putScored(context, zset, member, score);
  putZsetSize(context, zset, old === undefined ? 1 : 0);
  return old === undefined ? 1 : 0;
};

const zadd = (context: CommandContext, args: readonly Buffer[]): Reply => {
  if (args.length === 4) return addOne(context, args);
  const parsed = parseAddOptions(args);
  if (parsed instanceof ErrorReply) return parsed;
  const { options, next } = parsed;
  const pairs: { readonly member: Buffer; readonly score: number }[] = [];
  for (let i = next; i < args.length; i += 2) {
    const score = parseDouble(args[i]);
    if (score === undefined) return refusal.notFloat;
    pairs.push({ member: args[i + 1], score });
  }
  const key = args[1];
  const zset = findZset(context, key) ?? createZset(context, key);
  if (zset instanceof ErrorReply) return zset;
  const result = addScored(context, zset, pairs, options);
  if (result instanceof ErrorReply) return result;
  if (options.increments) return result.score === undefined ? null : doubleReply(result.score);
  return options.countsChanged ? result.added + result.changed : result.added;
};

const zincrby = (context: CommandContext, args: readonly Buffer[]): Reply => {
  const score = parseDouble(args[2]);
  if (score === undefined) return refusal.notFloat;
  const key = args[1];
  const zset = findZset(context, key) ?? createZset(context, key);
  if (zset instanceof ErrorReply) return zset;
  const pair = { member: args[3], score };
  const result = addScored(context, zset, [pair], { ...noOptions, increments: true });
  if (result instanceof ErrorReply) return result;
  return result.score === undefined ? null : doubleReply(result.score);
};

export const addCommands: readonly DataCommand[] = [
  writeCommand('zadd', -4, oneKey, zadd),
  writeCommand('zincrby', 4, oneKey, zincrby),
];
