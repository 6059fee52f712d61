import { prefixSuccessor } from '../bytes/index.js';
import { type DataReader, nowhere } from '../engine/index.js';
import type { ValueType } from './change.js';
import { ColumnFamily } from './encoding/column-family.js';
import { encodeMetadataKey, encodeSubKeyPrefix, namespacePrefix } from './encoding/keys.js';
import { isAlive, readMetadata } from './encoding/metadata.js';

/**
 * Bytes of keys and values that a user key takes in the store, all its elements included; undefined when the key does
 * not exist. Of a key with more elements than `samples` the first ones tell how large all are.
 */
export const storedBytes = (
  reader: DataReader,
  namespace: string,
  userKey: Uint8Array,
  nowMs: number,
  samples = defaultSamples,
): number | undefined => {
  const prefix = namespacePrefix(namespace);
  const key = encodeMetadataKey(prefix, userKey);
  const value = reader.get(ColumnFamily.metadata, key);
  const metadata = value === undefined ? undefined : readMetadata(value);
  if (value === undefined || metadata === undefined || !isAlive(metadata, nowMs)) return undefined;
  let total = key.length + value.length;
  const { version, type, size } = metadata;
  if (version.length === 0) return total;
  const begin = encodeSubKeyPrefix(prefix, userKey, version);
  // The size of other types is not that of their entries.
  const isSampled = sampledTypes.has(type) && size > samples;
  for (const columnFamily of [ColumnFamily.subKeys, ColumnFamily.scores, ColumnFamily.streams])
    total += isSampled
      ? bytesUnder(reader, columnFamily, begin, samples) * (size / samples)
      : bytesUnder(reader, columnFamily, begin, Number.POSITIVE_INFINITY);
  return Math.round(total);
};

/** Bytes of the first `most` entries that begin so. */
const bytesUnder = (reader: DataReader, columnFamily: number, begin: Buffer, most: number): number => {
  const end = prefixSuccessor(begin);
  const iterator = reader.iterate({ columnFamily, begin, ...(end === undefined ? {} : { end }) });
  const place = nowhere();
  let bytes = 0;
  try {
    for (let left = most; iterator.valid && left > 0; iterator.next(), left--) {
      iterator.locate(place);
      bytes += place.keyEnd - place.keyStart + place.valueEnd - place.valueStart;
    }
    return bytes;
  } finally {
    iterator.close();
  }
};

const sampledTypes: ReadonlySet<ValueType> = new Set(['hash', 'list', 'set', 'zset', 'stream']);
/** Looked at in less than a millisecond. */
const defaultSamples = 1_000;
