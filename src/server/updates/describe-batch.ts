import { readU32BigEndian } from '../../bytes/index.js';
import { ColumnFamily } from '../../data-model/index.js';
import { RecordKind, WriteBatchReader } from '../../write-batch/index.js';

/**
 * A batch in words, for people: its sequence numbers, and a line for each record. `isDetailed` takes the keys apart.
 *
 *   start_seq=2
 *   end_seq=3
 *   type=LOGDATA,blob_size=2
 *   type=PUT,cf=default,raw_key_size=36,raw_value_size=1,namespace=default,key=h,version=3306087b2e3ca73f,subkey=f
 */
export const describeBatch = (bytes: Buffer, isDetailed: boolean): string[] => {
  const reader = new WriteBatchReader(bytes);
  const lines = [
    `start_seq=${reader.sequence}`,
    `end_seq=${reader.sequence + Math.max(reader.count, 1) - 1}`,
  ];
  while (reader.next()) {
    const name = kindNames[reader.kind] ?? 'OTHER';
    const key = reader.key();
    const value = reader.value();
    if (reader.kind === RecordKind.LogData) {
      lines.push(`type=LOGDATA,blob_size=${value.length}${isDetailed ? `,blob=${shown(value)}` : ''}`);
      continue;
    }
    const cf = familyNames[reader.columnFamily] ?? String(reader.columnFamily);
    const isRange = reader.kind === RecordKind.DeleteRange;
    const sizes = isRange
      ? `raw_begin_key_size=${key.length},raw_end_key_size=${value.length}`
      : `raw_key_size=${key.length},raw_value_size=${value.length}`;
    const parts = isDetailed
      ? [describeKey(reader.columnFamily, key), ...(isRange ? [describeKey(reader.columnFamily, value)] : [])]
      : [];
    lines.push([`type=${name},cf=${cf},${sizes}`, ...parts].join(','));
  }
  return lines;
};

const describeKey = (columnFamily: number, key: Buffer): string => {
  if (columnFamily === ColumnFamily.pubsub) return `channel=${shown(key)}`;
  if (columnFamily === ColumnFamily.propagate || columnFamily === ColumnFamily.search)
    return `key=${shown(key)}`;
  const prefixEnd = 1 + (key[0] ?? 0);
  const namespace = `namespace=${shown(key.subarray(1, prefixEnd))}`;
  if (columnFamily === ColumnFamily.metadata) return `${namespace},key=${shown(key.subarray(prefixEnd))}`;
  const start = prefixEnd + 4;
  const end = start <= key.length ? start + readU32BigEndian(key, prefixEnd) : Number.POSITIVE_INFINITY;
  if (end + versionBytes > key.length) return `truncated_key=${shown(key)}`;
  const version = key.toString('hex', end, end + versionBytes);
  return `${namespace},key=${shown(key.subarray(start, end))},version=${version},subkey=${shown(key.subarray(end + versionBytes))}`;
};

/** Printable characters as they are; other bytes, commas and backslashes as \xHH. */
const shown = (bytes: Buffer): string =>
  bytes
    .toString('latin1')
    .replace(/[^\x21-\x7e]|[,\\]/g, (char) => `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`);

const kindNames: Readonly<Record<number, string>> = {
  [RecordKind.Put]: 'PUT',
  [RecordKind.Delete]: 'DELETE',
  [RecordKind.SingleDelete]: 'SINGLE_DELETE',
  [RecordKind.DeleteRange]: 'DELETE_RANGE',
  [RecordKind.Merge]: 'MERGE',
};

const familyNames = ['default', 'metadata', 'zset_score', 'pubsub', 'propagate', 'stream', 'search'];
const versionBytes = 8;
