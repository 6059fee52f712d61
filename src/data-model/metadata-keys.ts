import { RecordKind, WriteBatchReader } from '../write-batch/index.js';
import { ColumnFamily } from './encoding/column-family.js';

/** The metadata keys that a batch puts and deletes. Borrowed from it. @throws TailraceError as WriteBatchReader */
export function* metadataKeysOf(batch: Uint8Array): Generator<Buffer, void> {
  const reader = new WriteBatchReader(batch);
  while (reader.next()) {
    const isOfKey = reader.kind === RecordKind.Put || reader.kind === RecordKind.Delete;
    if (isOfKey && reader.columnFamily === ColumnFamily.metadata) yield reader.key();
  }
}
