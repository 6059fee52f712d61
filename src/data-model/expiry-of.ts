import { RecordKind, WriteBatchReader } from '../write-batch/index.js';
import { ColumnFamily } from './encoding/column-family.js';
import { isExpired, readMetadata, readMetadataAt } from './encoding/metadata.js';

/** When the key of a metadata entry expires, in ms since the epoch; undefined = never. */
export const expiryOf = (metadataValue: Buffer): number | undefined => {
  const expireMs = readMetadata(metadataValue)?.expireMs ?? 0;
  return expireMs === 0 ? undefined : expireMs;
};

/** Whether a time of expiry has passed. */
export const isPast = (expireMs: number, nowMs: number): boolean => isExpired(expireMs, nowMs);

/** Calls `found` with the metadata key (borrowed) and the time of each key that a batch makes expire. */
export const eachExpiry = (batch: Uint8Array, found: (key: Buffer, expireMs: number) => void): void => {
  const reader = new WriteBatchReader(batch);
  while (reader.next()) {
    if (reader.kind !== RecordKind.Put || reader.columnFamily !== ColumnFamily.metadata) continue;
    const metadata = readMetadataAt(reader.bytes, reader.valueStart, reader.valueEnd);
    if (metadata !== undefined && metadata.expireMs !== 0) found(reader.key(), metadata.expireMs);
  }
};
