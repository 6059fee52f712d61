import { copyOf } from '../../../bytes/index.js';
import { ColumnFamily } from '../../encoding/column-family.js';
import { encodeLogData } from '../../encoding/log-data.js';
import type { Metadata } from '../../encoding/metadata.js';
import type { CommandContext } from '../command-context.js';
import { ErrorReply } from '../reply.js';
import { forEachSubKey } from '../sub-keys.js';

export const setNote = encodeLogData('set');

/** A set that a command works on: its metadata, and what its sub-keys start with. */
export interface SetValue {
  readonly key: Buffer;
  readonly metadata: Metadata;
  readonly prefix: Buffer;
}

/** The set; undefined when there is no such key. */
export const findSet = (context: CommandContext, key: Buffer): SetValue | undefined | ErrorReply => {
  const metadata = context.find(key, 'set');
  if (metadata === undefined || metadata instanceof ErrorReply) return metadata;
  return { key, metadata, prefix: context.subKeyPrefix(key, metadata) };
};

/** A new set under the key, whatever was there; nothing is written yet. */
export const createSet = (context: CommandContext, key: Buffer): SetValue => {
  const metadata = context.create('set');
  return { key, metadata, prefix: context.subKeyPrefix(key, metadata) };
};

export const hasMember = (context: CommandContext, set: SetValue, member: Buffer): boolean =>
  set.metadata.size > 0 && context.locate(ColumnFamily.subKeys, context.scratchKey.join(set.prefix, member));

export const putMember = (context: CommandContext, set: SetValue, member: Buffer): void => {
  context.batch.putJoined(ColumnFamily.subKeys, set.prefix, member, noBytes, noBytes);
};

export const deleteMember = (context: CommandContext, set: SetValue, member: Buffer): void => {
  context.batch.delete(ColumnFamily.subKeys, context.scratchKey.join(set.prefix, member));
};

/** Puts the metadata with `size` changed by `change`; nothing when that is 0. */
export const putSetSize = (context: CommandContext, set: SetValue, change: number): void => {
  if (change === 0) return;
  context.putSize(set.key, set.metadata, set.metadata.size + change);
};

/** All members in the order of their bytes. Owned. */
export const membersOf = (context: CommandContext, set: SetValue | undefined): Buffer[] => {
  const members: Buffer[] = [];
  if (set !== undefined)
    forEachSubKey(context, ColumnFamily.subKeys, set.prefix, (bytes, start, end) => {
      members.push(copyOf(bytes, start, end));
      return true;
    });
  return members;
};

/** Writes a whole set under the key, replacing whatever was there; an empty one leaves no key. */
export const storeSet = (context: CommandContext, key: Buffer, members: readonly Buffer[]): void => {
  const set = createSet(context, key);
  context.batch.logData(setNote);
  for (const member of members) putMember(context, set, member);
  context.putSize(key, set.metadata, members.length);
};

const noBytes = Buffer.alloc(0);
