import { copyOf } from '../../../bytes/index.js';
import type { RecordTarget } from '../../../engine/index.js';
import { ColumnFamily } from '../../encoding/column-family.js';
import type { ScoredMember } from '../../encoding/zset-encoding.js';
import { optionWord, parseClamped, parseDouble, parseInteger } from '../arguments.js';
import type { CommandContext } from '../command-context.js';
import {
  type DataCommand,
  type KeyPositions,
  numberedKeys,
  readCommand,
  writeCommand,
} from '../data-command.js';
import { mergeSorted } from '../merge-sorted.js';
import { ErrorReply, type Reply, refusal } from '../reply.js';
import { hasMember } from '../sets/set-value.js';
import { forEachSubKey } from '../sub-keys.js';
import { scoredReply, scoreIn, scoreOf, storeZset, type ZsetValue } from './zset-value.js';

type Operation = 'union' | 'inter' | 'diff';
type Aggregate = 'SUM' | 'MIN' | 'MAX';

interface AlgebraQuery {
  readonly keys: readonly Buffer[];
  readonly weights: readonly number[];
  readonly aggregate: Aggregate;
  readonly hasScores: boolean;
  /** ZINTERCARD only: no more than so many are looked for, 0 = all */
  readonly limit: number;
}

/** Which options a form of the command knows. */
interface KnownOptions {
  readonly combines: boolean;
  readonly scores: boolean;
  readonly limit: boolean;
}

/** Parses `numkeys key [key …] [WEIGHTS w …] [AGGREGATE a] [WITHSCORES] [LIMIT n]` from `args[at]` on. */
const parseQuery = (
  command: string,
  args: readonly Buffer[],
  at: number,
  known: KnownOptions,
): AlgebraQuery | ErrorReply => {
  const keyCount = parseInteger(args[at]);
  if (keyCount === undefined) return refusal.notInteger;
  if (keyCount < 1) return new ErrorReply(`ERR at least 1 input key is needed for '${command}' command`);
  const optionsAt = at + 1 + keyCount;
  if (optionsAt > args.length) return refusal.syntax;
  const keys = args.slice(at + 1, optionsAt);
  let weights: number[] = keys.map(() => 1);
  let aggregate: Aggregate = 'SUM';
  let hasScores = false;
  let limit = 0;
  for (let i = optionsAt; i < args.length; i++) {
    const word = optionWord(args[i]);
    if (word === 'WITHSCORES' && known.scores) hasScores = true;
    else if (word === 'WEIGHTS' && known.combines && i + keyCount < args.length) {
      const parsed = args.slice(i + 1, i + 1 + keyCount).map(parseDouble);
      if (parsed.includes(undefined)) return new ErrorReply('ERR weight value is not a float');
      weights = parsed.map((weight) => weight ?? 0);
      i += keyCount;
    } else if (word === 'AGGREGATE' && known.combines && i + 1 < args.length) {
      const name = optionWord(args[++i]);
      if (name !== 'SUM' && name !== 'MIN' && name !== 'MAX') return refusal.syntax;
      aggregate = name;
    } else if (word === 'LIMIT' && known.limit && i + 1 < args.length) {
      const wanted = parseClamped(args[++i]);
      if (wanted === undefined || wanted < 0) return new ErrorReply("ERR LIMIT can't be negative");
      limit = wanted;
    } else return refusal.syntax;
  }
  return { keys, weights, aggregate, hasScores, limit };
};

/** A sorted set, or a set whose members all have score 1; without a value where there is no key. */
interface Input {
  readonly value: ZsetValue | undefined;
  readonly isScored: boolean;
  readonly size: number;
  readonly weight: number;
}

const findInput = (context: CommandContext, key: Buffer, weight: number): Input | ErrorReply => {
  const metadata = context.findAny(key);
  if (metadata === undefined) return { value: undefined, isScored: false, size: 0, weight };
  const { type, size } = metadata;
  if (type !== 'set' && type !== 'zset') return refusal.wrongType;
  const value = { key, metadata, prefix: context.subKeyPrefix(key, metadata) };
  return { value, isScored: type === 'zset', size, weight };
};

/** All members with their weighted scores, in the order of members. */
const membersIn = (context: CommandContext, { value, isScored, weight }: Input): ScoredMember[] => {
  const members: ScoredMember[] = [];
  if (value === undefined) return members;
  const record: RecordTarget['record'] = (bytes, start, end, score, scoreStart, scoreEnd) => {
    members.push({
      member: copyOf(bytes, start, end),
      score: weighted(isScored ? scoreIn(score.subarray(scoreStart, scoreEnd)) : 1, weight),
    });
    return true;
  };
  forEachSubKey(context, ColumnFamily.subKeys, value.prefix, record);
  return members;
};

/** The weighted score of one member; undefined where the input does not have it. */
const scoreAmong = (
  context: CommandContext,
  { value, isScored, weight }: Input,
  member: Buffer,
): number | undefined => {
  if (value === undefined) return undefined;
  if (!isScored) return hasMember(context, value, member) ? weighted(1, weight) : undefined;
  const score = scoreOf(context, value, member);
  return score === undefined ? undefined : weighted(score, weight);
};

/**
 * The result in the order of members. Like Redis, unions and intersections take the smallest input first: sums of
 * infinities depend on it. Intersections and differences walk one input, and only look up its members in the others.
 */
const combine = (
  context: CommandContext,
  operation: Operation,
  query: AlgebraQuery,
): ScoredMember[] | ErrorReply => {
  const inputs: Input[] = [];
  for (const [index, key] of query.keys.entries()) {
    const input = findInput(context, key, query.weights[index]);
    if (input instanceof ErrorReply) return input;
    inputs.push(input);
  }
  if (operation === 'diff') return difference(context, inputs);
  inputs.sort((a, b) => a.size - b.size);
  if (operation === 'inter') return intersection(context, inputs, query);
  const joined = (a: ScoredMember, b: ScoredMember): ScoredMember => ({
    member: a.member,
    score: aggregateScores(query.aggregate, a.score, b.score),
  });
  return inputs
    .map((input) => membersIn(context, input))
    .reduce((union, members) => mergeSorted(union, members, byMember, joined));
};

const byMember = (a: ScoredMember, b: ScoredMember): number => Buffer.compare(a.member, b.member);

const difference = (context: CommandContext, [first, ...others]: readonly Input[]): ScoredMember[] =>
  membersIn(context, first).filter(
    ({ member }) => !others.some((other) => scoreAmong(context, other, member) !== undefined),
  );

const intersection = (
  context: CommandContext,
  [smallest, ...others]: readonly Input[],
  { aggregate, limit }: AlgebraQuery,
): ScoredMember[] => {
  const found: ScoredMember[] = [];
  for (const { member, score } of membersIn(context, smallest)) {
    let total: number | undefined = score;
    for (const other of others) {
      const more = scoreAmong(context, other, member);
      total = more === undefined ? undefined : aggregateScores(aggregate, total, more);
      if (total === undefined) break;
    }
    if (total !== undefined) found.push({ member, score: total });
    if (limit > 0 && found.length === limit) break;
  }
  return found;
};

/** Of two equal scores the first stays: 0 and −0 are equal. */
const aggregateScores = (aggregate: Aggregate, a: number, b: number): number => {
  if (aggregate === 'SUM') return orZero(a + b);
  return (aggregate === 'MIN' ? b < a : b > a) ? b : a;
};

const weighted = (score: number, weight: number): number => orZero(score * weight);

/** inf − inf and 0 · inf count as 0, and so does −0, which would have a place of its own. */
const orZero = (score: number): number => (score === 0 || Number.isNaN(score) ? 0 : score);

const byScore = (a: ScoredMember, b: ScoredMember): number =>
  a.score === b.score ? Buffer.compare(a.member, b.member) : a.score - b.score < 0 ? -1 : 1;

const answer =
  (operation: Operation) =>
  (context: CommandContext, args: readonly Buffer[]): Reply => {
    const known = { combines: operation !== 'diff', scores: true, limit: false };
    const query = parseQuery(`z${operation}`, args, 1, known);
    if (query instanceof ErrorReply) return query;
    const members = combine(context, operation, query);
    return members instanceof ErrorReply ? members : scoredReply(members.sort(byScore), query.hasScores);
  };

const store =
  (operation: Operation) =>
  (context: CommandContext, args: readonly Buffer[]): Reply => {
    const known = { combines: operation !== 'diff', scores: false, limit: false };
    const query = parseQuery(`z${operation}store`, args, 2, known);
    if (query instanceof ErrorReply) return query;
    const members = combine(context, operation, query);
    if (members instanceof ErrorReply) return members;
    storeZset(context, args[1], members);
    return members.length;
  };

const zintercard = (context: CommandContext, args: readonly Buffer[]): Reply => {
  const query = parseQuery('zintercard', args, 1, { combines: false, scores: false, limit: true });
  if (query instanceof ErrorReply) return query;
  const members = combine(context, 'inter', query);
  return members instanceof ErrorReply ? members : members.length;
};

const targetAndKeys: KeyPositions = { first: 1, last: 1, step: 1, numbered: 2 };

export const zsetAlgebraCommands: readonly DataCommand[] = [
  readCommand('zunion', -3, numberedKeys(1), answer('union')),
  readCommand('zinter', -3, numberedKeys(1), answer('inter')),
  readCommand('zdiff', -3, numberedKeys(1), answer('diff')),
  readCommand('zintercard', -3, numberedKeys(1), zintercard),
  writeCommand('zunionstore', -4, targetAndKeys, store('union')),
  writeCommand('zinterstore', -4, targetAndKeys, store('inter')),
  writeCommand('zdiffstore', -4, targetAndKeys, store('diff')),
];
