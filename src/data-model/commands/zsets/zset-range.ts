import { copyOf, prefixSuccessor } from '../../../bytes/index.js';
import { type DataRange, nowhere } from '../../../engine/index.js';
import { ColumnFamily } from '../../encoding/column-family.js';
import { encodeInternalKey } from '../../encoding/keys.js';
import { encodeScoreKey, readScoreKey, type ScoredMember } from '../../encoding/zset-encoding.js';
import { parseDouble } from '../arguments.js';
import type { CommandContext } from '../command-context.js';
import { ErrorReply } from '../reply.js';
import { scoreIn, type ZsetValue } from './zset-value.js';

/** Which members a command means, and in which direction. Rank bounds count from the low end. */
export type ZsetRange = { readonly by: 'rank'; readonly start: number; readonly stop: number } | BoundedRange;

/** A range by score, or by member among those of one score. */
export type BoundedRange =
  | { readonly by: 'score'; readonly min: ScoreBound; readonly max: ScoreBound }
  | { readonly by: 'lex'; readonly min: LexBound; readonly max: LexBound };

export interface ScoreBound {
  readonly score: number;
  readonly isExclusive: boolean;
}

/** `-`, `+`, or a member with `[` or `(`. */
export type LexBound =
  | { readonly kind: 'lowest' | 'highest' }
  | { readonly kind: 'member'; readonly member: Buffer; readonly isExclusive: boolean };

export interface RangeLimit {
  readonly offset: number;
  /** negative = all */
  readonly count: number;
}

export const noLimit: RangeLimit = { offset: 0, count: -1 };

/** `1.5`, `(1.5`, `-inf`, `+inf` */
export const parseScoreBound = (bytes: Buffer): ScoreBound | ErrorReply => {
  const isExclusive = bytes[0] === openParenthesis;
  const score = parseDouble(isExclusive ? bytes.subarray(1) : bytes);
  return score === undefined ? new ErrorReply('ERR min or max is not a float') : { score, isExclusive };
};

/** `-`, `+`, `[member`, `(member` */
export const parseLexBound = (bytes: Buffer): LexBound | ErrorReply => {
  if (bytes.length === 1 && bytes[0] === minus) return { kind: 'lowest' };
  if (bytes.length === 1 && bytes[0] === plus) return { kind: 'highest' };
  if (bytes[0] !== openParenthesis && bytes[0] !== openBracket)
    return new ErrorReply('ERR min or max not valid string range item');
  return { kind: 'member', member: bytes.subarray(1), isExclusive: bytes[0] === openParenthesis };
};

/** The members of a range, from the low end or (`isReverse`) from the high end. Owned. */
export const selectRange = (
  context: CommandContext,
  zset: ZsetValue,
  range: ZsetRange,
  isReverse: boolean,
  limit: RangeLimit = noLimit,
): ScoredMember[] => {
  if (limit.offset < 0) return [];
  if (range.by === 'rank') return selectRanks(context, zset, range.start, range.stop, isReverse);
  const bounds = keysOfRange(zset, range);
  if (bounds === undefined) return [];
  const wanted = limit.count < 0 ? Number.POSITIVE_INFINITY : limit.count;
  return collect(context, zset, { ...bounds, isReverse }, limit.offset, wanted);
};

/** How many members a range by score or by member holds. Counts them one by one, without reading them. */
export const countRange = (context: CommandContext, zset: ZsetValue, range: BoundedRange): number => {
  const bounds = keysOfRange(zset, range);
  if (bounds === undefined) return 0;
  const iterator = context.reader.iterate(bounds);
  let count = 0;
  for (; iterator.valid; iterator.next()) count++;
  iterator.close();
  return count;
};

const keysOfRange = (zset: ZsetValue, range: BoundedRange): DataRange | undefined =>
  range.by === 'score' ? scoreKeys(zset, range.min, range.max) : lexKeys(zset.prefix, range.min, range.max);

/** Ranks from the end that the direction starts at; negative ones from the other end. */
const selectRanks = (
  context: CommandContext,
  zset: ZsetValue,
  start: number,
  stop: number,
  isReverse: boolean,
): ScoredMember[] => {
  const { size } = zset.metadata;
  const first = Math.max(0, start < 0 ? size + start : start);
  const last = Math.min(size - 1, stop < 0 ? size + stop : stop);
  if (first > last) return [];
  const all = { columnFamily: ColumnFamily.scores, ...prefixRange(zset.prefix) };
  // Walk from the nearer end.
  if (first <= size - 1 - last) return collect(context, zset, { ...all, isReverse }, first, last - first + 1);
  const skips = size - 1 - last;
  return collect(context, zset, { ...all, isReverse: !isReverse }, skips, last - first + 1).reverse();
};

const collect = (
  context: CommandContext,
  zset: ZsetValue,
  range: DataRange,
  offset: number,
  count: number,
): ScoredMember[] => {
  const found: ScoredMember[] = [];
  const place = nowhere();
  const iterator = context.reader.iterate(range);
  try {
    for (let skipped = 0; iterator.valid && found.length < count; iterator.next()) {
      if (skipped < offset) {
        skipped++;
        continue;
      }
      iterator.locate(place);
      const subKey = copyOf(place.keyBytes, place.keyStart + zset.prefix.length, place.keyEnd);
      if (range.columnFamily === ColumnFamily.scores) {
        const scored = readScoreKey(subKey);
        if (scored !== undefined) found.push(scored);
      } else
        found.push({
          member: subKey,
          score: scoreIn(place.valueBytes.subarray(place.valueStart, place.valueEnd)),
        });
    }
    return found;
  } finally {
    iterator.close();
  }
};

/** What lies under a prefix. */
export const prefixRange = (prefix: Buffer): { begin: Buffer; end?: Buffer } => {
  const end = prefixSuccessor(prefix);
  return end === undefined ? { begin: prefix } : { begin: prefix, end };
};

/**
 * The keys of the score index between two bounds; undefined when nothing can lie there. The index tells −0
 * from 0, clients don't: a bound of 0 takes both in or leaves both out.
 */
const scoreKeys = (zset: ZsetValue, min: ScoreBound, max: ScoreBound): DataRange | undefined => {
  if (min.score > max.score) return undefined;
  const place = (score: number): Buffer => encodeScoreKey(zset.prefix, score, noBytes);
  const below = (score: number): Buffer => place(score === 0 ? -0 : score);
  const above = (score: number): Buffer | undefined => prefixSuccessor(place(score === 0 ? 0 : score));
  const begin = min.isExclusive ? above(min.score) : below(min.score);
  const end = max.isExclusive ? below(max.score) : above(max.score);
  if (begin === undefined || (end !== undefined && Buffer.compare(begin, end) >= 0)) return undefined;
  return { columnFamily: ColumnFamily.scores, begin, ...(end === undefined ? {} : { end }) };
};

/** The keys of sub-keys between two bounds; undefined when nothing can lie there. */
export const lexKeys = (prefix: Buffer, min: LexBound, max: LexBound): DataRange | undefined => {
  if (min.kind === 'highest' || max.kind === 'lowest') return undefined;
  const all = prefixRange(prefix);
  const at = (member: Buffer): Buffer => encodeInternalKey(prefix, member);
  const behind = (member: Buffer): Buffer => at(Buffer.concat([member, Buffer.of(0)]));
  const begin = min.kind !== 'member' ? all.begin : min.isExclusive ? behind(min.member) : at(min.member);
  const end = max.kind !== 'member' ? all.end : max.isExclusive ? at(max.member) : behind(max.member);
  if (end !== undefined && Buffer.compare(begin, end) >= 0) return undefined;
  return { columnFamily: ColumnFamily.subKeys, begin, ...(end === undefined ? {} : { end }) };
};

const noBytes = Buffer.alloc(0);
const openParenthesis = 0x28;
const openBracket = 0x5b;
const minus = 0x2d;
const plus = 0x2b;
