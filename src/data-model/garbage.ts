import { prefixSuccessor } from '../bytes/index.js';
import type { DataReader } from '../engine/index.js';
import { ColumnFamily } from './encoding/column-family.js';
import { encodeMetadataKey, readInternalKey, versionBytes } from './encoding/keys.js';
import { isExpired, readMetadata } from './encoding/metadata.js';

/** Keys that no reader can see any more, from `begin` up to, not including, `end`. Both are owned. */
export interface GarbageRange {
  readonly columnFamily: number;
  readonly begin: Buffer;
  readonly end: Buffer;
}

const familiesWithVersions = [ColumnFamily.subKeys, ColumnFamily.scores, ColumnFamily.streams];

/**
 * The sub-keys of incarnations that are no more: their key was deleted, made anew under another version,
 * overwritten by a type without sub-keys, or has expired. Commands leave them where they are, and the log holds no
 * deletes for them; compaction drops what this yields. What is garbage stays so for ever, since versions are never
 * used again.
 *
 * One seek and one metadata read for each incarnation, whatever its size. Between two yields the reader may be written
 * to; what was yielded must be dropped before. Yields an empty list for an incarnation that is alive.
 *
 * @param nowMs the clock; a time in the past spares what has expired since, 0 all that has
 */
export function* garbageOfSubKeys(
  reader: DataReader,
  nowMs: () => number,
): Generator<readonly GarbageRange[]> {
  for (const columnFamily of familiesWithVersions) {
    let begin: Buffer | undefined = firstKey(reader, columnFamily);
    while (begin !== undefined) {
      const parts = readInternalKey(begin);
      const prefix = parts === undefined ? begin : begin.subarray(0, begin.length - parts.subKey.length);
      const end = parts === undefined ? justBehind(begin) : prefixSuccessor(prefix);
      if (end === undefined) break;
      const isGarbage = parts !== undefined && !isCurrent(reader, prefix, parts.userKey, nowMs());
      yield isGarbage ? [{ columnFamily, begin: prefix, end }] : [];
      begin = firstKey(reader, columnFamily, end);
    }
  }
}

/** The metadata of keys that have expired, of any type, some at a time. What was yielded must be dropped before a write. */
export function* garbageOfExpiry(
  reader: DataReader,
  nowMs: () => number,
): Generator<readonly GarbageRange[]> {
  const columnFamily = ColumnFamily.metadata;
  let from: Buffer | undefined = noBytes;
  while (from !== undefined) {
    const expired: Buffer[] = [];
    const iterator = reader.iterate({ columnFamily, begin: from });
    from = undefined;
    for (let seen = 1; iterator.valid; iterator.next(), seen++) {
      const { key, value } = iterator.item;
      if (seen > keysPerStep) {
        from = Buffer.from(key);
        break;
      }
      const metadata = readMetadata(value);
      if (metadata !== undefined && isExpired(metadata.expireMs, nowMs())) expired.push(Buffer.from(key));
    }
    iterator.close();
    yield expired.map((begin) => ({ columnFamily, begin, end: justBehind(begin) }));
  }
}

const keysPerStep = 256;

const firstKey = (reader: DataReader, columnFamily: number, begin?: Buffer): Buffer | undefined => {
  const iterator = reader.iterate(begin === undefined ? { columnFamily } : { columnFamily, begin });
  const key = iterator.valid ? Buffer.from(iterator.item.key) : undefined;
  iterator.close();
  return key;
};

const isCurrent = (reader: DataReader, prefix: Buffer, userKey: Buffer, nowMs: number): boolean => {
  const namespace = prefix.subarray(0, 1 + prefix[0]);
  const value = reader.get(ColumnFamily.metadata, encodeMetadataKey(namespace, userKey));
  if (value === undefined) return false;
  const metadata = readMetadata(value);
  if (metadata === undefined) return true; // not ours to judge
  if (isExpired(metadata.expireMs, nowMs)) return false;
  return metadata.version.equals(prefix.subarray(prefix.length - versionBytes));
};

const justBehind = (key: Buffer): Buffer => Buffer.concat([key, Buffer.of(0)]);

const noBytes = Buffer.alloc(0);
