import { prefixSuccessor } from '../bytes/index.js';
import type { DataReader } from '../engine/index.js';
import type { WriteBatchBuilder } from '../write-batch/index.js';
import type { ValueType } from './change.js';
import { ColumnFamily } from './encoding/column-family.js';
import { encodeSubKeyPrefix, versionBytes } from './encoding/keys.js';
import { isAlive, readMetadata } from './encoding/metadata.js';
import { maxKeysSeen } from './key-records/append-records.js';

/** A page of a walk over the records of all keys. */
export interface RawRecordsPage {
  /** Where the walk goes on; undefined at its end. Owned. */
  readonly next: Buffer | undefined;
}

/**
 * Appends the records of all keys that exist at `nowMs`, of every namespace, behind `cursor` (empty: from the first), until
 * `maxBytes` bytes are reached. A page may end inside of a key: for a store of the same format, where the log is replayed
 * behind the walk, so that no record need fit the others before.
 *
 *   cursor := length u32 BE · metadata key · [column family u8 · internal key]     the last record that was taken
 */
export const appendRawRecords = (
  reader: DataReader,
  cursor: Uint8Array,
  limit: { readonly maxBytes: number; readonly nowMs: number },
  batch: WriteBatchBuilder,
): RawRecordsPage => {
  const from = readCursor(cursor);
  const iterator = reader.iterate({ columnFamily: ColumnFamily.metadata, begin: from.begin });
  try {
    for (let seen = 1; iterator.valid; iterator.next(), seen++) {
      const { key, value } = iterator.item;
      const inside = from.inside !== undefined && from.begin.equals(key) ? from.inside : undefined;
      const cut = appendKey(reader, key, value, inside, limit, batch);
      if (cut !== undefined) return { next: cut };
      if (seen >= maxKeysSeen || batch.byteLength >= limit.maxBytes) return { next: cursorOf(key) };
    }
    return { next: undefined };
  } finally {
    iterator.close();
  }
};

interface InsidePlace {
  readonly columnFamily: number;
  readonly internalKey: Buffer;
}

/** The records of a key; a cursor where it had to stop inside of it. */
const appendKey = (
  reader: DataReader,
  metadataKey: Buffer,
  value: Buffer,
  inside: InsidePlace | undefined,
  limit: { readonly maxBytes: number; readonly nowMs: number },
  batch: WriteBatchBuilder,
): Buffer | undefined => {
  const metadata = readMetadata(value);
  if (metadata !== undefined && !isAlive(metadata, limit.nowMs)) return undefined;
  if (inside === undefined) batch.put(ColumnFamily.metadata, metadataKey, value);
  const version = metadata === undefined ? value.subarray(9, 9 + versionBytes) : metadata.version;
  if (version.length < versionBytes) return undefined;
  const prefixEnd = 1 + metadataKey[0];
  const [namespace, userKey] = [metadataKey.subarray(0, prefixEnd), metadataKey.subarray(prefixEnd)];
  const prefix = encodeSubKeyPrefix(namespace, userKey, version);
  const end = prefixSuccessor(prefix);
  // The key may have been made anew since: then what was taken of it is of no use, and this is all of it.
  const goesOn = inside?.internalKey.subarray(0, prefix.length).equals(prefix) === true ? inside : undefined;
  if (inside !== undefined && goesOn === undefined) batch.put(ColumnFamily.metadata, metadataKey, value);
  for (const columnFamily of familiesOf(metadata?.type)) {
    if (goesOn !== undefined && columnFamily < goesOn.columnFamily) continue;
    const begin =
      goesOn?.columnFamily === columnFamily ? Buffer.concat([goesOn.internalKey, Buffer.of(0)]) : prefix;
    const iterator = reader.iterate({ columnFamily, begin, ...(end === undefined ? {} : { end }) });
    try {
      for (; iterator.valid; iterator.next()) {
        const { key, value: element } = iterator.item;
        batch.put(columnFamily, key, element);
        if (batch.byteLength >= limit.maxBytes)
          return Buffer.concat([cursorOf(metadataKey), Buffer.of(columnFamily), key]);
      }
    } finally {
      iterator.close();
    }
  }
  return undefined;
};

/** A cursor from which a walk goes on with this key itself, where it exists. */
export const rawCursorAt = (metadataKey: Buffer): Buffer =>
  Buffer.concat([cursorOf(metadataKey), Buffer.of(0)]);

const cursorOf = (metadataKey: Buffer): Buffer => {
  const cursor = Buffer.alloc(4 + metadataKey.length);
  cursor.writeUInt32BE(metadataKey.length, 0);
  metadataKey.copy(cursor, 4);
  return cursor;
};

const readCursor = (cursor: Uint8Array): { begin: Buffer; inside: InsidePlace | undefined } => {
  if (cursor.length < 4) return { begin: Buffer.alloc(0), inside: undefined };
  const bytes = Buffer.from(cursor);
  const end = 4 + bytes.readUInt32BE(0);
  const key = bytes.subarray(4, end);
  if (bytes.length <= end) return { begin: Buffer.concat([key, Buffer.of(0)]), inside: undefined };
  return { begin: key, inside: { columnFamily: bytes[end], internalKey: bytes.subarray(end + 1) } };
};

/** In ascending order: a cursor goes on in the one that it names. */
const familiesOf = (type: ValueType | undefined): readonly number[] => {
  if (type === undefined) return everyFamily;
  if (type === 'stream') return [ColumnFamily.streams];
  return type === 'zset' ? [ColumnFamily.subKeys, ColumnFamily.scores] : [ColumnFamily.subKeys];
};

/** Where a key of a type that is not known may have sub-keys: its metadata has a version where all of them have it. */
const everyFamily = [ColumnFamily.subKeys, ColumnFamily.scores, ColumnFamily.streams];
