export type { Checkpoint, CheckpointInfo } from './checkpoint.js';
export { CheckpointCatalog, statesOf } from './checkpoint-catalog.js';
export { applyCheckpointExport, type Exported } from './checkpoint-export.js';
export { CheckpointPolicy, type CheckpointPolicyOptions } from './checkpoint-policy.js';
export type { Checkpoints, CreateOptions, ListFilter, RefreshOptions } from './checkpoints.js';
export type { Restored } from './restore.js';
export { StoreCheckpoints } from './store-checkpoints.js';
