export { batchHeaderBytes, RecordKind } from './record-kind.js';
export { placeFields } from './record-places.js';
export {
  batchCount,
  batchSequence,
  setBatchSequence,
  WriteBatchBuilder,
} from './write-batch-builder.js';
export { validateWriteBatch, WriteBatchReader } from './write-batch-reader.js';
