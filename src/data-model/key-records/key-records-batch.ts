import { WriteBatchBuilder } from '../../write-batch/index.js';
import { ColumnFamily } from '../encoding/column-family.js';
import { encodeSubKeyPrefix } from '../encoding/keys.js';
import { type Metadata, readMetadataAt } from '../encoding/metadata.js';
import { KeyRecordsReader } from './key-records-reader.js';

/**
 * The records of keys as one serialized WriteBatch, each key's metadata before its elements, as RENAME and COPY write a key:
 * a decoder takes what follows for all that the key holds. The index of a sorted set by score is left out here too.
 * @throws TailraceError `BATCH_CORRUPT`
 */
export const keyRecordsBatch = (page: Buffer, start = 0, end = page.length): Buffer => {
  const batch = new WriteBatchBuilder(2 * (end - start) + 64);
  const reader = new KeyRecordsReader(page, start, end);
  while (reader.next()) {
    const metadataKey = page.subarray(reader.metadataKeyStart, reader.metadataKeyEnd);
    batch.put(ColumnFamily.metadata, metadataKey, page.subarray(reader.metadataStart, reader.metadataEnd));
    if (reader.end === reader.metadataEnd) continue;
    const metadata = readMetadataAt(page, reader.metadataStart, reader.metadataEnd);
    if (metadata !== undefined) addElements(reader, metadataKey, metadata, batch);
  }
  return batch.finish();
};

const addElements = (
  reader: KeyRecordsReader,
  metadataKey: Buffer,
  { type, version }: Metadata,
  batch: WriteBatchBuilder,
): void => {
  const { bytes } = reader;
  const prefixEnd = 1 + metadataKey[0];
  const prefix = encodeSubKeyPrefix(
    metadataKey.subarray(0, prefixEnd),
    metadataKey.subarray(prefixEnd),
    version,
  );
  const family = type === 'stream' ? ColumnFamily.streams : ColumnFamily.subKeys;
  while (reader.nextElement())
    batch.putJoined(
      family,
      prefix,
      bytes.subarray(reader.subKeyStart, reader.subKeyEnd),
      bytes.subarray(reader.valueStart, reader.valueEnd),
      noBytes,
    );
};

const noBytes = Buffer.alloc(0);
