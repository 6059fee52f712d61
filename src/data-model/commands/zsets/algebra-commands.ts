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
import { ErrorReply, type Reply, refusal } from '../reply.js';
import { membersOf } from '../sets/set-value.js';
import { selectRange } from './zset-range.js';
import { scoredReply, storeZset } from './zset-value.js';

type Operation = 'union' | 'inter' | 'diff';
type Aggregate = 'SUM' | 'MIN' | 'MAX';

interface AlgebraQuery {
  readonly keys: readonly Buffer[];
  readonly weights: readonly number[];
  readonly aggregate: Aggregate;
  readonly hasScores: boolean;
  /** ZINTERCARD only, 0 = no limit */
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

/** All members of a sorted set, or of a set with score 1; empty without the key. */
const inputOf = (context: CommandContext, key: Buffer): ScoredMember[] | ErrorReply => {
  const metadata = context.findAny(key);
  if (metadata === undefined) return [];
  const input = { key, metadata, prefix: context.subKeyPrefix(key, metadata) };
  if (metadata.type === 'set') return membersOf(context, input).map((member) => ({ member, score: 1 }));
  if (metadata.type !== 'zset') return refusal.wrongType;
  return selectRange(context, input, { by: 'rank', start: 0, stop: -1 }, false);
};

/**
 * The result in the order of members. Like Redis, unions and intersections take the smallest input first: sums of
 * infinities depend on it.
 */
const combine = (
  context: CommandContext,
  operation: Operation,
  query: AlgebraQuery,
): ScoredMember[] | ErrorReply => {
  const inputs: { readonly members: ScoredMember[]; readonly weight: number }[] = [];
  for (const [index, key] of query.keys.entries()) {
    const members = inputOf(context, key);
    if (members instanceof ErrorReply) return members;
    inputs.push({ members, weight: query.weights[index] ?? 1 });
  }
  if (operation !== 'diff') inputs.sort((a, b) => a.members.length - b.members.length);
  const result = new Map<string, { member: Buffer; score: number; inputs: number }>();
  for (const [index, { members, weight }] of inputs.entries())
    for (const { member, score } of members) {
      const weighted = orZero(score * weight);
      const name = member.toString('latin1');
      const known = result.get(name);
      if (known === undefined) {
        if (operation === 'union' || index === 0) result.set(name, { member, score: weighted, inputs: 1 });
      } else if (operation === 'diff') result.delete(name);
      else {
        known.score = aggregateScores(query.aggregate, known.score, weighted);
        known.inputs++;
      }
    }
  const needed = operation === 'inter' ? query.keys.length : 1;
  return [...result.values()]
    .filter((found) => found.inputs >= needed)
    .sort((a, b) => Buffer.compare(a.member, b.member));
};

/** Of two equal scores the first stays: 0 and −0 are equal. */
const aggregateScores = (aggregate: Aggregate, a: number, b: number): number => {
  if (aggregate === 'SUM') return orZero(a + b);
  return (aggregate === 'MIN' ? b < a : b > a) ? b : a;
};

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
  if (members instanceof ErrorReply) return members;
  return query.limit === 0 ? members.length : Math.min(members.length, query.limit);
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
