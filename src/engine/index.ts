export {
  applyCheckpointExport,
  type Checkpoint,
  type CheckpointInfo,
  type CheckpointPolicyOptions,
  type Checkpoints,
  type CreateOptions as CheckpointCreateOptions,
  type Exported as CheckpointExported,
  type ListFilter as CheckpointListFilter,
  type RefreshOptions as CheckpointRefreshOptions,
  type Restored,
} from './checkpoints/index.js';
export { columnFamilyNames } from './column-family.js';
export { Engine } from './engine.js';
export {
  type Commit,
  type DataItem,
  type DataIterator,
  type DataRange,
  type DataReader,
  type ItemPlace,
  locateItem,
  nowhere,
  type RecordTarget,
  type Snapshot,
  type Store,
  type SyncMode,
  type ValuePlace,
  type WalBatch,
  type WalIterator,
} from './engine-api.js';
export type { EngineOptions } from './engine-options.js';
export type { EngineStats } from './engine-stats.js';
export {
  type HeapDump,
  HeapProfiler,
  type HeapProfilerOptions,
  type HeapSummary,
  type MemoryOwners,
} from './heap/index.js';
export {
  type ConsumerSlot,
  type ConsumerSlots,
  defaultRetention,
  type LogHold,
  type RetentionEvent,
  type RetentionOptions,
  type RetentionState,
  readSlots,
} from './retention/index.js';
export type { TimesFault } from './sequence-times.js';
export type { StoreIterator } from './store-iterator.js';
export {
  findLogDirectory,
  LogDirectoryReader,
  LogFramer,
  type LoggedBatch,
  LogReader,
  listSegmentFiles,
  type Recovery,
  type SegmentFile,
  summariseLog,
  type WalRecord,
  WalRecordIterator,
} from './wal/index.js';
