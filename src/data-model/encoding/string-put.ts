import type { WriteBatchBuilder } from '../../write-batch/index.js';
import { ColumnFamily } from './column-family.js';
import { defaultNamespace, encodeMetadataKey, namespacePrefix } from './keys.js';
import { encodeLogData } from './log-data.js';
import { encodeMetadata } from './metadata.js';

/**
 * Appends what SET of a string in the default namespace writes, without an expiry: for those who make batches of
 * their own, such as sinks that keep their position in the batch.
 */
export const appendStringPut = (batch: WriteBatchBuilder, key: Uint8Array, value: Buffer): void => {
  const metadata = { type: 'string', expireMs: 0, version: noBytes, size: 0, payload: value } as const;
  batch
    .logData(encodeLogData('string'))
    .put(ColumnFamily.metadata, encodeMetadataKey(defaultPrefix, key), encodeMetadata(metadata));
};

const noBytes = Buffer.alloc(0);
const defaultPrefix = namespacePrefix(defaultNamespace);
