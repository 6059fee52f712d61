import { prefixSuccessor } from '../../../bytes/index.js';
import { ColumnFamily } from '../../encoding/column-family.js';
import { encodeInternalKey } from '../../encoding/keys.js';
import { encodeLogData } from '../../encoding/log-data.js';
import type { Metadata } from '../../encoding/metadata.js';
import { isSingleValueType } from '../../encoding/type-number.js';
import { encodeScoreKey, readScore } from '../../encoding/zset-encoding.js';
import { optionWord, parseInteger } from '../arguments.js';
import type { CommandContext } from '../command-context.js';
import { type DataCommand, oneKey, twoKeys, writeCommand } from '../data-command.js';
import { ErrorReply, ok, type Reply, refusal } from '../reply.js';

/**
 * Puts all of `from` again under `to`, in the namespace of `target`: the metadata, then every sub-key. The copy has a
 * version of its own, so that sub-keys of an older copy under the same name never come alive again.
 */
const writeCopy = (
  context: CommandContext,
  from: Buffer,
  target: CommandContext,
  to: Buffer,
  metadata: Metadata,
): void => {
  if (isSingleValueType(metadata.type)) {
    target.putMetadata(to, metadata);
    return;
  }
  const copy = { ...metadata, version: context.services.versions.next() };
  target.putMetadata(to, copy);
  const source = context.subKeyPrefix(from, metadata);
  const copyPrefix = target.subKeyPrefix(to, copy);
  const columnFamily = metadata.type === 'stream' ? ColumnFamily.streams : ColumnFamily.subKeys;
  const end = prefixSuccessor(source);
  const range = { columnFamily, begin: source, ...(end === undefined ? {} : { end }) };
  for (const { key, value } of context.reader.iterate(range)) {
    const subKey = key.subarray(source.length);
    context.batch.put(columnFamily, encodeInternalKey(copyPrefix, subKey), value);
    const score = metadata.type === 'zset' ? readScore(value) : undefined;
    if (score !== undefined)
      context.batch.put(ColumnFamily.scores, encodeScoreKey(copyPrefix, score, subKey), noBytes);
  }
};

const rename =
  (keepsExisting: boolean) =>
  (context: CommandContext, args: readonly Buffer[]): Reply => {
    const from = args[1];
    const to = args[2];
    const metadata = context.findAny(from);
    if (metadata === undefined) return refusal.noSuchKey;
    if (keepsExisting && context.findAny(to) !== undefined) return 0;
    if (!from.equals(to)) {
      context.batch.logData(encodeLogData(metadata.type));
      context.deleteMetadata(from);
      writeCopy(context, from, context, to, metadata);
    }
    return keepsExisting ? 1 : ok;
  };

/** `COPY from to [DB n] [REPLACE]`. There is one database, 0. */
const copy = (context: CommandContext, args: readonly Buffer[]): Reply => {
  const from = args[1];
  const to = args[2];
  let replaces = false;
  for (let i = 3; i < args.length; i++) {
    const word = optionWord(args[i]);
    if (word === 'REPLACE') replaces = true;
    else if (word === 'DB' && i + 1 < args.length) {
      const index = parseInteger(args[++i]);
      if (index === undefined) return refusal.notInteger;
      if (index !== 0) return noSuchDatabase;
    } else return refusal.syntax;
  }
  if (from.equals(to)) return refusal.sameKey;
  const metadata = context.findAny(from);
  if (metadata === undefined) return 0;
  if (!replaces && context.findAny(to) !== undefined) return 0;
  context.batch.logData(encodeLogData(metadata.type));
  writeCopy(context, from, context, to, metadata);
  return 1;
};

/** Moves a key to another namespace, over whatever has its name there; false when there is no such key. One batch. */
export const moveKey = (context: CommandContext, target: CommandContext, key: Buffer): boolean => {
  const metadata = context.findAny(key);
  if (metadata === undefined) return false;
  if (target.namespace === context.namespace) return true;
  context.batch.logData(encodeLogData(metadata.type));
  context.deleteMetadata(key);
  writeCopy(context, key, target, key, metadata);
  return true;
};

/** `MOVE key db`: every database number names the same keyspace, so that the key is there already. */
const move = (context: CommandContext, args: readonly Buffer[]): Reply => {
  if (parseInteger(args[2]) === undefined) return refusal.notInteger;
  return context.findAny(args[1]) === undefined ? 0 : 1;
};

const noSuchDatabase = new ErrorReply('ERR DB index is out of range');

const noBytes = Buffer.alloc(0);

export const copyCommands: readonly DataCommand[] = [
  writeCommand('rename', 3, twoKeys, rename(false)),
  writeCommand('renamenx', 3, twoKeys, rename(true)),
  writeCommand('copy', -3, twoKeys, copy),
  writeCommand('move', 3, oneKey, move),
];
