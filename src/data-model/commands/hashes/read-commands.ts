import { copyOf } from '../../../bytes/index.js';
import { ColumnFamily } from '../../encoding/column-family.js';
import { optionWord, parseClamped } from '../arguments.js';
import type { CommandContext } from '../command-context.js';
import { type DataCommand, oneKey, readCommand } from '../data-command.js';
import { chooseEntries, maxRepeats } from '../random-choice.js';
import { ErrorReply, mapReply, pairsReply, type Reply, refusal } from '../reply.js';
import { parseScanOptions, scanEntries, scanReply, scanStart } from '../scan.js';
import { forEachSubKey } from '../sub-keys.js';
import { lexKeys, parseLexBound } from '../zsets/zset-range.js';
import { findHash, type Hash, readField } from './hash-value.js';

const hget = (context: CommandContext, args: readonly Buffer[]): Reply => {
  const hash = findHash(context, args[1]);
  if (hash === undefined) return null;
  if (hash instanceof ErrorReply) return hash;
  return readField(context, hash, args[2]) ?? null;
};

const hmget = (context: CommandContext, args: readonly Buffer[]): Reply => {
  const hash = findHash(context, args[1]);
  if (hash instanceof ErrorReply) return hash;
  return args
    .slice(2)
    .map((field) => (hash === undefined ? null : (readField(context, hash, field) ?? null)));
};

const hexists = (context: CommandContext, args: readonly Buffer[]): Reply => {
  const hash = findHash(context, args[1]);
  if (hash === undefined) return 0;
  if (hash instanceof ErrorReply) return hash;
  return readField(context, hash, args[2]) === undefined ? 0 : 1;
};

const hstrlen = (context: CommandContext, args: readonly Buffer[]): Reply => {
  const hash = findHash(context, args[1]);
  if (hash === undefined) return 0;
  if (hash instanceof ErrorReply) return hash;
  return readField(context, hash, args[2])?.length ?? 0;
};

const hlen = (context: CommandContext, args: readonly Buffer[]): Reply => {
  const hash = findHash(context, args[1]);
  return hash instanceof ErrorReply ? hash : (hash?.metadata.size ?? 0);
};

/** Fields and values in turn, or one of the two. Owned. */
const entriesOf = (
  context: CommandContext,
  hash: Hash | undefined,
  wanted: 'both' | 'fields' | 'values',
): Buffer[] => {
  const entries: Buffer[] = [];
  if (hash === undefined) return entries;
  forEachSubKey(
    context,
    ColumnFamily.subKeys,
    hash.prefix,
    (field, start, end, value, valueStart, valueEnd) => {
      if (wanted !== 'values') entries.push(copyOf(field, start, end));
      if (wanted !== 'fields') entries.push(copyOf(value, valueStart, valueEnd));
      return true;
    },
  );
  return entries;
};

const walk =
  (wanted: 'both' | 'fields' | 'values') =>
  (context: CommandContext, args: readonly Buffer[]): Reply => {
    const hash = findHash(context, args[1]);
    if (hash instanceof ErrorReply) return hash;
    const entries = entriesOf(context, hash, wanted);
    return wanted === 'both' ? mapReply(entries) : entries;
  };

/** `HRANGEBYLEX key min max [REV] [LIMIT offset count]`, Kvrocks' own: with REV the higher bound comes first. */
const hrangebylex = (context: CommandContext, args: readonly Buffer[]): Reply => {
  let isReverse = false;
  let offset = 0;
  let count = -1;
  for (let i = 4; i < args.length; i++) {
    const word = optionWord(args[i]);
    if (word === 'REV') isReverse = true;
    else if (word === 'LIMIT' && i + 2 < args.length) {
      const [skipped, wanted] = [parseClamped(args[++i]), parseClamped(args[++i])];
      if (skipped === undefined || wanted === undefined) return refusal.notInteger;
      offset = skipped;
      count = wanted;
    } else return refusal.syntax;
  }
  const min = parseLexBound(args[isReverse ? 3 : 2]);
  const max = parseLexBound(args[isReverse ? 2 : 3]);
  if (min instanceof ErrorReply) return min;
  if (max instanceof ErrorReply) return max;
  const hash = findHash(context, args[1]);
  if (hash instanceof ErrorReply) return hash;
  const range = hash === undefined ? undefined : lexKeys(hash.prefix, min, max);
  if (hash === undefined || range === undefined || offset < 0) return mapReply([]);
  const entries: Buffer[] = [];
  const iterator = context.reader.iterate({ ...range, isReverse });
  try {
    for (let seen = 0; iterator.valid && (count < 0 || entries.length < 2 * count); iterator.next(), seen++) {
      if (seen < offset) continue;
      const { key, value } = iterator.item;
      entries.push(Buffer.from(key.subarray(hash.prefix.length)), Buffer.from(value));
    }
    return mapReply(entries);
  } finally {
    iterator.close();
  }
};

const hscan = (context: CommandContext, args: readonly Buffer[]): Reply => {
  const options = parseScanOptions(args, 3);
  if (options instanceof ErrorReply) return options;
  const hash = findHash(context, args[1]);
  if (hash instanceof ErrorReply) return hash;
  const begin = scanStart(context, args[2], hash?.prefix ?? noBytes);
  if (begin === undefined) return refusal.invalidCursor;
  if (hash === undefined) return scanReply(0, []);
  const { cursor, found } = scanEntries(
    context,
    ColumnFamily.subKeys,
    hash.prefix,
    begin,
    options,
    ({ value }, field) =>
      options.hasNoValues ? [Buffer.from(field)] : [Buffer.from(field), Buffer.from(value)],
  );
  return scanReply(cursor, found.flat());
};

/** `HRANDFIELD key [count [WITHVALUES]]`: a negative count allows a field more than once. */
const hrandfield = (context: CommandContext, args: readonly Buffer[]): Reply => {
  const count = args.length > 2 ? parseClamped(args[2]) : 1;
  if (count === undefined) return refusal.notInteger;
  if (count < -maxRepeats) return refusal.countOutOfRange;
  const hasValues = args.length === 4 && optionWord(args[3]) === 'WITHVALUES';
  if (args.length > 4 || (args.length === 4 && !hasValues)) return refusal.syntax;
  const hash = findHash(context, args[1]);
  if (hash instanceof ErrorReply) return hash;
  if (hash === undefined) return args.length === 2 ? null : [];
  const chosen = chooseEntries(context, hash.prefix, hash.metadata.size, count);
  if (args.length === 2) return chosen[0]?.subKey ?? null;
  if (!hasValues) return chosen.map(({ subKey }) => subKey);
  return pairsReply(chosen.flatMap(({ subKey, value }) => [subKey, value]));
};

const noBytes = Buffer.alloc(0);

export const hashReadCommands: readonly DataCommand[] = [
  readCommand('hget', 3, oneKey, hget),
  readCommand('hmget', -3, oneKey, hmget),
  readCommand('hexists', 3, oneKey, hexists),
  readCommand('hstrlen', 3, oneKey, hstrlen),
  readCommand('hlen', 2, oneKey, hlen),
  readCommand('hgetall', 2, oneKey, walk('both')),
  readCommand('hkeys', 2, oneKey, walk('fields')),
  readCommand('hvals', 2, oneKey, walk('values')),
  readCommand('hrangebylex', -4, oneKey, hrangebylex),
  readCommand('hscan', -3, oneKey, hscan),
  readCommand('hrandfield', -2, oneKey, hrandfield),
];
