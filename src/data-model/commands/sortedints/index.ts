import { prefixSuccessor } from '../../../bytes/index.js';
import type { DataIterator } from '../../../engine/index.js';
import { ColumnFamily } from '../../encoding/column-family.js';
import { encodeInternalKey } from '../../encoding/keys.js';
import { encodeLogData } from '../../encoding/log-data.js';
import type { Metadata } from '../../encoding/metadata.js';
import { optionWord, parseClamped } from '../arguments.js';
import type { CommandContext } from '../command-context.js';
import { type DataCommand, oneKey, readCommand, writeCommand } from '../data-command.js';
import { ErrorReply, type Reply, refusal } from '../reply.js';
import { iterateSubKeys } from '../sub-keys.js';

/**
 * Kvrocks' own type: a set of u64, walked in the order of the numbers. The sub-key is the number, big-endian.
 */
const sortedIntNote = encodeLogData('sortedint');

const parseId = (bytes: Buffer): bigint | undefined => {
  const text = bytes.toString('latin1');
  if (!/^\d{1,20}$/.test(text)) return undefined;
  const id = BigInt(text);
  return id <= largestId ? id : undefined;
};

const parseIds = (words: readonly Buffer[]): bigint[] | ErrorReply => {
  const ids = new Set<bigint>();
  for (const word of words) {
    const id = parseId(word);
    if (id === undefined) return refusal.notInteger;
    ids.add(id);
  }
  return [...ids];
};

const subKeyOf = (prefix: Buffer, id: bigint): Buffer => {
  const subKey = Buffer.alloc(8);
  subKey.writeBigUInt64BE(id);
  return encodeInternalKey(prefix, subKey);
};

const has = (context: CommandContext, metadata: Metadata, prefix: Buffer, id: bigint): boolean =>
  metadata.size > 0 && context.reader.get(ColumnFamily.subKeys, subKeyOf(prefix, id)) !== undefined;

/** SIADD adds the numbers that are missing, SIREM takes away those that are there. */
const change =
  (adds: boolean) =>
  (context: CommandContext, args: readonly Buffer[]): Reply => {
    const key = args[1];
    const ids = parseIds(args.slice(2));
    if (ids instanceof ErrorReply) return ids;
    const found = context.find(key, 'sortedint');
    if (found instanceof ErrorReply) return found;
    if (found === undefined && !adds) return 0;
    const metadata = found ?? context.create('sortedint');
    const prefix = context.subKeyPrefix(key, metadata);
    context.batch.logData(sortedIntNote);
    let changed = 0;
    for (const id of ids) {
      if (has(context, metadata, prefix, id) === adds) continue;
      changed++;
      if (adds) context.batch.put(ColumnFamily.subKeys, subKeyOf(prefix, id), noBytes);
      else context.batch.delete(ColumnFamily.subKeys, subKeyOf(prefix, id));
    }
    if (changed > 0)
      context.putMetadata(key, { ...metadata, size: metadata.size + (adds ? changed : -changed) });
    return changed;
  };

const sicard = (context: CommandContext, args: readonly Buffer[]): Reply => {
  const metadata = context.find(args[1], 'sortedint');
  return metadata instanceof ErrorReply ? metadata : (metadata?.size ?? 0);
};

const siexists = (context: CommandContext, args: readonly Buffer[]): Reply => {
  const key = args[1];
  const metadata = context.find(key, 'sortedint');
  if (metadata instanceof ErrorReply) return metadata;
  const replies: Reply[] = [];
  for (const word of args.slice(2)) {
    const id = parseId(word);
    if (id === undefined) return refusal.notInteger;
    const isThere = metadata !== undefined && has(context, metadata, context.subKeyPrefix(key, metadata), id);
    replies.push(isThere ? 1 : 0);
  }
  return replies;
};

/** `SIRANGE key offset limit [CURSOR id]`, SIREVRANGE from the other end: numbers behind the cursor. */
const range =
  (isReverse: boolean) =>
  (context: CommandContext, args: readonly Buffer[]): Reply => {
    const offset = parseClamped(args[2]);
    const limit = parseClamped(args[3]);
    if (offset === undefined || limit === undefined || offset < 0) return refusal.notInteger;
    if (args.length !== 4 && args.length !== 6) return refusal.syntax;
    const cursor = args.length === 6 ? parseId(args[5]) : undefined;
    if (args.length === 6 && cursor === undefined) return refusal.notInteger;
    const key = args[1];
    const metadata = context.find(key, 'sortedint');
    if (metadata === undefined) return [];
    if (metadata instanceof ErrorReply) return metadata;
    const prefix = context.subKeyPrefix(key, metadata);
    const iterator = iterateSubKeys(context, ColumnFamily.subKeys, prefix, isReverse);
    const isBehind = (id: bigint): boolean => cursor === undefined || (isReverse ? id < cursor : id > cursor);
    return takeIds(iterator, prefix, { offset, count: limit }, isBehind);
  };

interface Limit {
  /** How many are passed over. */
  readonly offset: number;
  /** How many are taken then; below 0: all. */
  readonly count: number;
}

/** The numbers at an iterator that are wanted, within the limit. Closes it. */
const takeIds = (
  iterator: DataIterator,
  { length }: Buffer,
  { offset, count }: Limit,
  isWanted: (id: bigint) => boolean = () => true,
): Buffer[] => {
  const found: Buffer[] = [];
  try {
    for (let skipped = 0; iterator.valid && (count < 0 || found.length < count); iterator.next()) {
      const id = iterator.item.key.readBigUInt64BE(length);
      if (!isWanted(id)) continue;
      if (skipped < offset) skipped++;
      else found.push(Buffer.from(String(id)));
    }
    return found;
  } finally {
    iterator.close();
  }
};

/** `[LIMIT offset count]` from `args[4]` on. */
const parseLimit = (args: readonly Buffer[]): Limit | ErrorReply => {
  if (args.length === 4) return { offset: 0, count: -1 };
  if (args.length !== 7 || optionWord(args[4]) !== 'LIMIT') return refusal.syntax;
  const [offset, count] = [parseClamped(args[5]), parseClamped(args[6])];
  return offset === undefined || count === undefined ? refusal.notInteger : { offset, count };
};

/** A bound of SIRANGEBYVALUE: a number, `(` before it leaves it out, or an infinity. */
const parseBound = (word: Buffer): { readonly id: bigint; readonly isExclusive: boolean } | ErrorReply => {
  const text = word.toString('latin1').toLowerCase();
  if (text === '-inf') return { id: 0n, isExclusive: false };
  if (text === '+inf' || text === 'inf') return { id: largestId, isExclusive: false };
  const isExclusive = text.startsWith('(');
  const id = parseId(isExclusive ? word.subarray(1) : word);
  return id === undefined ? new ErrorReply('ERR the min or max is not integer') : { id, isExclusive };
};

/** `SIRANGEBYVALUE key min max [LIMIT offset count]`, SIREVRANGEBYVALUE with max before min. */
const rangeByValue =
  (isReverse: boolean) =>
  (context: CommandContext, args: readonly Buffer[]): Reply => {
    const min = parseBound(args[isReverse ? 3 : 2]);
    const max = parseBound(args[isReverse ? 2 : 3]);
    if (min instanceof ErrorReply) return min;
    if (max instanceof ErrorReply) return max;
    const limit = parseLimit(args);
    if (limit instanceof ErrorReply) return limit;
    const key = args[1];
    const metadata = context.find(key, 'sortedint');
    if (metadata === undefined) return [];
    if (metadata instanceof ErrorReply) return metadata;
    const first = min.isExclusive ? min.id + 1n : min.id;
    const last = max.isExclusive ? max.id - 1n : max.id;
    if (limit.offset < 0 || first > last) return [];
    const prefix = context.subKeyPrefix(key, metadata);
    const end = last === largestId ? prefixSuccessor(prefix) : subKeyOf(prefix, last + 1n);
    const range = { columnFamily: ColumnFamily.subKeys, begin: subKeyOf(prefix, first), isReverse };
    const iterator = context.reader.iterate(end === undefined ? range : { ...range, end });
    return takeIds(iterator, prefix, limit);
  };

const largestId = 0xffff_ffff_ffff_ffffn;
const noBytes = Buffer.alloc(0);

/** Commands on sorted ints, a type of Kvrocks. */
export const sortedIntCommands: readonly DataCommand[] = [
  writeCommand('siadd', -3, oneKey, change(true)),
  writeCommand('sirem', -3, oneKey, change(false)),
  readCommand('sicard', 2, oneKey, sicard),
  readCommand('siexists', -3, oneKey, siexists),
  readCommand('sirange', -4, oneKey, range(false)),
  readCommand('sirevrange', -4, oneKey, range(true)),
  readCommand('sirangebyvalue', -4, oneKey, rangeByValue(false)),
  readCommand('sirevrangebyvalue', -4, oneKey, rangeByValue(true)),
];
