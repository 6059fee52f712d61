export type { Stage, TransactionDecoder, TransactionTransform } from './branch.js';
export {
  type ChangePredicate,
  compileFilter,
  type FilterOptions,
  filterTransaction,
} from './change-filter.js';
export type { BatchLimit } from './commit-groups.js';
export {
  changeOf,
  type DeadLetter,
  type DeadLetterTarget,
  type StoredLetter,
} from './dead-letters/dead-letters.js';
export { FileDeadLetters } from './dead-letters/file-dead-letters.js';
export { ReadDeadLetters } from './dead-letters/read-dead-letters.js';
export { RedisDeadLetters } from './dead-letters/redis-dead-letters.js';
export { SinkDeadLetters } from './dead-letters/sink-dead-letters.js';
export { FileOffsetsStore } from './offsets/file-offsets-store.js';
export type { Lease } from './offsets/lease.js';
export type { OffsetsStore, StoredOffset } from './offsets/offsets-store.js';
export { type PostgresOffsetsOptions, PostgresOffsetsStore } from './offsets/postgres-offsets-store.js';
export { type RedisOffsetsOptions, RedisOffsetsStore } from './offsets/redis-offsets-store.js';
export { Pipeline } from './pipeline.js';
export type { PipelineOptions, PipelineSink } from './pipeline-options.js';
export type { PipelineState, PipelineStatus, SinkState, SinkStatus } from './pipeline-status.js';
export { type ErrorPolicy, withoutRefused } from './refused-changes.js';
export type { SinkErrorKind } from './sink-lane.js';
export { addStage } from './transform/add-fields.js';
export { type ChangeStage, chainStages, filterStage } from './transform/change-stage.js';
export { dropStage, type FieldSelection, hashStage, maskStage } from './transform/field-edits.js';
export { flattenStage, parseJsonStage } from './transform/json-documents.js';
export { renameStage } from './transform/rename-key.js';
export { compileRoute, routeStage } from './transform/route.js';
export { loadUserFunction } from './transform/user-function.js';
