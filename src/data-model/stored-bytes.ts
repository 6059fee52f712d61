import { prefixSuccessor } from '../bytes/index.js';
import type { DataReader } from '../engine/index.js';
import { ColumnFamily } from './encoding/column-family.js';
import { encodeMetadataKey, encodeSubKeyPrefix, namespacePrefix } from './encoding/keys.js';
import { isAlive, readMetadata } from './encoding/metadata.js';

/**
 * Bytes of keys and values that a user key takes in the store, all its elements included; undefined when the key does
 * not exist. Walks the elements: the time grows with them.
 */
export const storedBytes = (
  reader: DataReader,
  namespace: string,
  userKey: Uint8Array,
  nowMs: number,
): number | undefined => {
  const prefix = namespacePrefix(namespace);
  const key = encodeMetadataKey(prefix, userKey);
  const value = reader.get(ColumnFamily.metadata, key);
  const metadata = value === undefined ? undefined : readMetadata(value);
  if (value === undefined || metadata === undefined || !isAlive(metadata, nowMs)) return undefined;
  let total = key.length + value.length;
  if (metadata.version.length === 0) return total;
  const begin = encodeSubKeyPrefix(prefix, userKey, metadata.version);
  const end = prefixSuccessor(begin);
  for (const columnFamily of [ColumnFamily.subKeys, ColumnFamily.scores, ColumnFamily.streams])
    for (const item of reader.iterate({ columnFamily, begin, ...(end === undefined ? {} : { end }) }))
      total += item.key.length + item.value.length;
  return total;
};
