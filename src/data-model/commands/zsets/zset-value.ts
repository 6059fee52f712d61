import { orderedDoubleBytes, readOrderedDouble, writeOrderedDouble } from '../../../bytes/index.js';
import { TailraceError } from '../../../errors/index.js';
import { ColumnFamily } from '../../encoding/column-family.js';
import { encodeLogData } from '../../encoding/log-data.js';
import type { Metadata } from '../../encoding/metadata.js';
import { readScore, type ScoredMember } from '../../encoding/zset-encoding.js';
import { doubleText } from '../arguments.js';
import type { CommandContext } from '../command-context.js';
import { doubleReply, ErrorReply, pairsReply, type Reply } from '../reply.js';

export const zsetNote = encodeLogData('zset');

/** A sorted set that a command works on: its metadata, and what its sub-keys start with. */
export interface ZsetValue {
  readonly key: Buffer;
  readonly metadata: Metadata;
  readonly prefix: Buffer;
}

/** The sorted set; undefined when there is no such key. */
export const findZset = (context: CommandContext, key: Buffer): ZsetValue | undefined | ErrorReply => {
  const metadata = context.find(key, 'zset');
  if (metadata === undefined || metadata instanceof ErrorReply) return metadata;
  return { key, metadata, prefix: context.subKeyPrefix(key, metadata) };
};

/** A new sorted set under the key, whatever was there; nothing is written yet. */
export const createZset = (context: CommandContext, key: Buffer): ZsetValue => {
  const metadata = context.create('zset');
  return { key, metadata, prefix: context.subKeyPrefix(key, metadata) };
};

/** The member's score; undefined when it is not there. Hot: ZADD. @throws TailraceError `STORE_CORRUPT` */
export const scoreOf = (context: CommandContext, zset: ZsetValue, member: Buffer): number | undefined => {
  if (zset.metadata.size === 0) return undefined;
  if (!context.locate(ColumnFamily.subKeys, context.scratchKey.join(zset.prefix, member))) return undefined;
  const { bytes, start, end } = context.place;
  return end - start === orderedDoubleBytes
    ? readOrderedDouble(bytes, start)
    : scoreIn(bytes.subarray(start, end));
};

/** The score that a member's value holds. @throws TailraceError `STORE_CORRUPT` */
export const scoreIn = (value: Uint8Array): number => {
  const score = readScore(value);
  if (score === undefined)
    throw new TailraceError('STORE_CORRUPT', `a score has ${value.length} bytes instead of 8`, {
      remedy: 'Restore the store from a checkpoint.',
    });
  return score;
};

/** Puts a member with its score, and its place in the order of scores. */
export const putScored = (context: CommandContext, zset: ZsetValue, member: Buffer, score: number): void => {
  writeOrderedDouble(scoreBytes, 0, score);
  context.batch.putJoined(ColumnFamily.subKeys, zset.prefix, member, scoreBytes, noBytes);
  context.batch.put(ColumnFamily.scores, context.scratchKey.joinScore(zset.prefix, score, member), noBytes);
};

/** Takes a member's place in the order of scores away, before it gets another. */
export const deleteScorePlace = (
  context: CommandContext,
  zset: ZsetValue,
  member: Buffer,
  score: number,
): void => {
  context.batch.delete(ColumnFamily.scores, context.scratchKey.joinScore(zset.prefix, score, member));
};

export const deleteScored = (
  context: CommandContext,
  zset: ZsetValue,
  member: Buffer,
  score: number,
): void => {
  context.batch.delete(ColumnFamily.subKeys, context.scratchKey.join(zset.prefix, member));
  deleteScorePlace(context, zset, member, score);
};

/** Puts the metadata with `size` changed by `change`; nothing when that is 0. */
export const putZsetSize = (context: CommandContext, zset: ZsetValue, change: number): void => {
  if (change === 0) return;
  context.putSize(zset.key, zset.metadata, zset.metadata.size + change);
};

/** Writes a whole sorted set under the key, replacing whatever was there; an empty one leaves no key. */
export const storeZset = (context: CommandContext, key: Buffer, members: readonly ScoredMember[]): void => {
  context.batch.logData(zsetNote);
  if (members.length === 0) {
    if (context.findAny(key) !== undefined) context.deleteMetadata(key);
    return;
  }
  const zset = createZset(context, key);
  for (const { member, score } of members) putScored(context, zset, member, score);
  context.putSize(key, zset.metadata, members.length);
};

/** Members alone, or with their scores. */
export const scoredReply = (members: readonly ScoredMember[], hasScores: boolean): Reply =>
  hasScores
    ? pairsReply(members.flatMap(({ member, score }) => [member, doubleReply(score)]))
    : members.map(({ member }) => member);

export const scoreText = (score: number): Buffer => Buffer.from(doubleText(score), 'latin1');

const noBytes = Buffer.alloc(0);
/** Scratch: the batch copies it before anyone else can write it. */
const scoreBytes = Buffer.alloc(orderedDoubleBytes);
