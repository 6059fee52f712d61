import { readU32BigEndian } from '../bytes/index.js';
import { RecordKind, WriteBatchReader } from '../write-batch/index.js';
import { ColumnFamily } from './encoding/column-family.js';
import { encodeMetadataKey, namespacePrefix } from './encoding/keys.js';

/** Names a key of a namespace, for tables of keys: its metadata key as latin1 text, whose order is that of the bytes. */
export const keyName = (namespace: string, userKey: Uint8Array): string =>
  encodeMetadataKey(namespacePrefix(namespace), userKey).toString('latin1');

/** The keys that a batch writes or deletes, in the order of their first record. */
export interface WrittenKeys {
  /** As `keyName` names them. */
  readonly names: ReadonlySet<string>;
  /** Ranges of names that are deleted whole (FLUSHDB); `end` is exclusive. */
  readonly ranges: readonly { readonly begin: string; readonly end: string }[];
}

/** Which keys a batch changes, whatever commands made it. Entries that belong to no key are passed over. */
export const writtenKeys = (batch: Uint8Array): WrittenKeys => {
  const names = new Set<string>();
  const ranges: { begin: string; end: string }[] = [];
  const reader = new WriteBatchReader(batch);
  while (reader.next()) {
    if (reader.kind === RecordKind.LogData) continue;
    const { columnFamily } = reader;
    if (reader.kind === RecordKind.DeleteRange) {
      if (columnFamily === ColumnFamily.metadata)
        ranges.push({ begin: reader.key().toString('latin1'), end: reader.value().toString('latin1') });
    } else if (columnFamily === ColumnFamily.metadata) names.add(reader.key().toString('latin1'));
    else if (columnFamily === ColumnFamily.subKeys || columnFamily === ColumnFamily.streams)
      names.add(ownerOf(reader.key()));
    // the scores of a sorted set tell what its sub-keys tell
  }
  return { names, ranges };
};

/** The name of the key that a sub-key belongs to. Layout: see encoding/keys.ts. */
const ownerOf = (key: Buffer): string => {
  const prefixEnd = 1 + key[0];
  const start = prefixEnd + 4;
  if (start > key.length) return '';
  const end = start + readU32BigEndian(key, prefixEnd);
  return key.toString('latin1', 0, prefixEnd) + key.toString('latin1', start, end);
};
