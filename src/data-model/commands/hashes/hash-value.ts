import { ColumnFamily } from '../../encoding/column-family.js';
import { fieldLayoutOf } from '../../encoding/hash-encoding.js';
import { encodeLogData } from '../../encoding/log-data.js';
import type { Metadata } from '../../encoding/metadata.js';
import type { CommandContext } from '../command-context.js';
import { ErrorReply } from '../reply.js';

export const hashNote = encodeLogData('hash');

/** A hash that a command works on: its metadata, and what its sub-keys start with. */
export interface Hash {
  readonly key: Buffer;
  readonly metadata: Metadata;
  readonly prefix: Buffer;
}

/** The hash; undefined when there is no such key. */
export const findHash = (context: CommandContext, key: Buffer): Hash | undefined | ErrorReply => {
  const metadata = context.find(key, 'hash');
  if (metadata === undefined || metadata instanceof ErrorReply) return metadata;
  if (metadata.payload.length > 0 && fieldLayoutOf(metadata.payload) !== 'plain') return expiringFields;
  return { key, metadata, prefix: context.subKeyPrefix(key, metadata) };
};

/** The hash, or a new one that is not written yet. */
export const findOrCreateHash = (context: CommandContext, key: Buffer): Hash | ErrorReply => {
  const found = findHash(context, key);
  if (found !== undefined) return found;
  const metadata = context.create('hash');
  return { key, metadata, prefix: context.subKeyPrefix(key, metadata) };
};

/** The field's value; undefined when there is none. Borrowed. */
export const readField = (context: CommandContext, hash: Hash, field: Buffer): Buffer | undefined =>
  hash.metadata.size === 0
    ? undefined
    : context.reader.get(ColumnFamily.subKeys, context.scratchKey.join(hash.prefix, field));

/** What setting a field would change: it is not there, it has this value, or another one. Hot: HSET. */
export const compareField = (
  context: CommandContext,
  hash: Hash,
  field: Buffer,
  value: Buffer,
): 'missing' | 'same' | 'other' => {
  if (hash.metadata.size === 0) return 'missing';
  if (!context.locate(ColumnFamily.subKeys, context.scratchKey.join(hash.prefix, field))) return 'missing';
  const { bytes, start, end } = context.place;
  if (end - start !== value.length) return 'other';
  if (value.length > longestLooped) return value.compare(bytes, start, end) === 0 ? 'same' : 'other';
  for (let i = 0; i < value.length; i++) if (bytes[start + i] !== value[i]) return 'other';
  return 'same';
};

export const putField = (context: CommandContext, hash: Hash, field: Buffer, value: Buffer): void => {
  context.batch.putJoined(ColumnFamily.subKeys, hash.prefix, field, value, noBytes);
};

/** Puts the metadata with `size` changed by `change`; nothing when that is 0. */
export const putHashSize = (context: CommandContext, hash: Hash, change: number): void => {
  if (change === 0) return;
  context.putSize(hash.key, hash.metadata, hash.metadata.size + change);
};

/** Such a hash comes from a Kvrocks; it can be copied, deleted and expire as a whole. */
const expiringFields = new ErrorReply(
  'ERR the fields of this hash expire each by itself, which is not supported',
);

const noBytes = Buffer.alloc(0);
/** Up to this length a loop is quicker than a call. */
const longestLooped = 32;
