import type { DataReader } from '../engine/index.js';
import { ColumnFamily } from './encoding/column-family.js';
import { encodeMetadataKey, readInternalKey, versionBytes } from './encoding/keys.js';
import { isExpired, readMetadata } from './encoding/metadata.js';

/** An entry that no reader can see any more. Both fields are owned. */
export interface GarbageEntry {
  readonly columnFamily: number;
  readonly key: Buffer;
}

const familiesWithVersions = [ColumnFamily.subKeys, ColumnFamily.scores, ColumnFamily.streams];

/**
 * The sub-keys of incarnations that are no more: their key was deleted, made anew under another version,
 * overwritten by a type without sub-keys, or has expired at `nowMs`. Commands leave them where they are and the
 * log holds no deletes for them; a compaction drops what this yields.
 *
 * Walks all sub-keys, with one metadata read an incarnation. What it yields stays garbage for ever, since
 * versions are never used again.
 */
export function* garbageEntries(reader: DataReader, nowMs: number): Generator<GarbageEntry> {
  for (const columnFamily of familiesWithVersions) {
    let prefix = noBytes;
    let isGarbage = false;
    for (const { key } of reader.iterate({ columnFamily })) {
      const isSameIncarnation = prefix.length > 0 && key.subarray(0, prefix.length).equals(prefix);
      if (!isSameIncarnation) {
        const parts = readInternalKey(key);
        if (parts === undefined) continue; // not ours to judge
        prefix = Buffer.from(key.subarray(0, key.length - parts.subKey.length));
        isGarbage = !isCurrent(reader, prefix, parts.userKey, nowMs);
      }
      if (isGarbage) yield { columnFamily, key: Buffer.from(key) };
    }
  }
}

const isCurrent = (reader: DataReader, prefix: Buffer, userKey: Buffer, nowMs: number): boolean => {
  const namespace = prefix.subarray(0, 1 + prefix[0]);
  const value = reader.get(ColumnFamily.metadata, encodeMetadataKey(namespace, userKey));
  const metadata = value === undefined ? undefined : readMetadata(value);
  if (metadata === undefined || isExpired(metadata.expireMs, nowMs)) return false;
  return metadata.version.equals(prefix.subarray(prefix.length - versionBytes));
};

const noBytes = Buffer.alloc(0);
