import { prefixSuccessor } from '../bytes/index.js';
import type { DataRange, DataReader } from '../engine/index.js';
import type { WriteBatchBuilder } from '../write-batch/index.js';
import type { ValueType } from './change.js';
import { ColumnFamily } from './encoding/column-family.js';
import { encodeSubKeyPrefix } from './encoding/keys.js';
import { listPositionBytes, readListEnds, writeListPosition } from './encoding/list-encoding.js';
import { isAlive, readMetadata } from './encoding/metadata.js';
import { isSingleValueType } from './encoding/type-number.js';

/** A page of a walk over all keys, as records. */
export interface KeyRecordsPage {
  /** Metadata key of the last key that was looked at; undefined when the walk is at its end. Owned. */
  readonly next: Buffer | undefined;
  readonly keys: number;
}

/**
 * Appends the records of the keys behind the metadata key `after` (empty: from the first), of every namespace, until
 * `maxKeys` keys or `maxBytes` bytes are reached; a key is never cut, so that the last may exceed the bytes. Keys that
 * do not exist for a reader at `nowMs` are passed over.
 */
export const appendRecordsAfter = (
  reader: DataReader,
  after: Uint8Array,
  limit: { readonly maxKeys: number; readonly maxBytes: number; readonly nowMs: number },
  batch: WriteBatchBuilder,
): KeyRecordsPage => {
  const begin = after.length === 0 ? after : Buffer.concat([after, Buffer.of(0)]);
  const iterator = reader.iterate({ columnFamily: ColumnFamily.metadata, begin });
  let keys = 0;
  try {
    for (let seen = 1; iterator.valid; iterator.next(), seen++) {
      const { key, value } = iterator.item;
      if (appendRecords(reader, key, value, limit.nowMs, batch)) keys++;
      if (seen < maxSeen && keys < limit.maxKeys && batch.byteLength < limit.maxBytes) continue;
      return { next: Buffer.from(key), keys };
    }
    return { next: undefined, keys };
  } finally {
    iterator.close();
  }
};

/** Appends the records of one key; false when there is no such key at `nowMs`. */
export const appendRecordsOf = (
  reader: DataReader,
  metadataKey: Uint8Array,
  nowMs: number,
  batch: WriteBatchBuilder,
): boolean => {
  const value = reader.get(ColumnFamily.metadata, metadataKey);
  return value !== undefined && appendRecords(reader, metadataKey, value, nowMs, batch);
};

/** Metadata first, as RENAME and COPY write a key: a decoder takes what follows for all that the key holds. */
const appendRecords = (
  reader: DataReader,
  metadataKey: Uint8Array,
  value: Buffer,
  nowMs: number,
  batch: WriteBatchBuilder,
): boolean => {
  const metadata = readMetadata(value);
  if (metadata === undefined || !isAlive(metadata, nowMs)) return false;
  batch.put(ColumnFamily.metadata, metadataKey, value);
  if (isSingleValueType(metadata.type)) return true;
  const prefixEnd = 1 + metadataKey[0];
  const prefix = encodeSubKeyPrefix(
    metadataKey.subarray(0, prefixEnd),
    metadataKey.subarray(prefixEnd),
    metadata.version,
  );
  const range = metadata.type === 'list' ? listRange(prefix, metadata.payload) : wholeRange(prefix);
  for (const columnFamily of familiesOf(metadata.type)) {
    const iterator = reader.iterate({ columnFamily, ...range });
    try {
      for (; iterator.valid; iterator.next()) batch.put(columnFamily, iterator.item.key, iterator.item.value);
    } finally {
      iterator.close();
    }
  }
  return true;
};

const wholeRange = (prefix: Buffer): Pick<DataRange, 'begin' | 'end'> => {
  const end = prefixSuccessor(prefix);
  return end === undefined ? { begin: prefix } : { begin: prefix, end };
};

/** From head to tail: a Kvrocks leaves elements beside them that are no longer of the list. */
const listRange = (prefix: Buffer, payload: Buffer): Pick<DataRange, 'begin' | 'end'> => {
  const ends = readListEnds(payload);
  if (ends === undefined) return wholeRange(prefix);
  const at = (position: number): Buffer => {
    const key = Buffer.concat([prefix, Buffer.alloc(listPositionBytes)]);
    writeListPosition(key, prefix.length, position);
    return key;
  };
  return { begin: at(ends.head), end: at(ends.tail) };
};

const familiesOf = (type: ValueType): readonly number[] =>
  type === 'stream' ? streamFamilies : type === 'zset' ? zsetFamilies : otherFamilies;

const streamFamilies = [ColumnFamily.streams];
const zsetFamilies = [ColumnFamily.subKeys, ColumnFamily.scores];
const otherFamilies = [ColumnFamily.subKeys];

/** Keys that are looked at for one page, so that many expired ones do not keep the caller. */
const maxSeen = 100_000;
