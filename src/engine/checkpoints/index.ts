export type { Checkpoint, CheckpointInfo } from './checkpoint.js';
export { CheckpointCatalog, statesOf } from './checkpoint-catalog.js';
export { applyCheckpointExport, type Exported } from './checkpoint-export.js';
export { CheckpointPolicy, type CheckpointPolicyOptions } from './checkpoint-policy.js';
export {
  type CheckpointHost,
  Checkpoints,
  type CreateOptions,
  type ListFilter,
  type RefreshOptions,
} from './checkpoints.js';
export type { Restored } from './restore.js';
