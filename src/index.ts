// The library: `import { Engine, Server, Pipeline } from 'tailrace'`. Connector and sink authors use `tailrace/kit`.
export { createSink, createSource, type GivenOptions } from '../config/index.js';
export { EngineSource, type EngineSourceOptions, engineSource } from '../connectors/engine/index.js';
export { FileSource, type FileSourceOptions, fileSource } from '../connectors/file/index.js';
export { KvrocksSource, type KvrocksSourceOptions, kvrocksSource } from '../connectors/kvrocks/index.js';
export { WalSource, type WalSourceOptions, walSource } from '../connectors/wal/index.js';
export { FileSink, type FileSinkOptions, fileSink } from '../sinks/file/index.js';
export { type KafkaSink, type KafkaSinkOptions, kafkaSink } from '../sinks/kafka/index.js';
export { KvrocksSink, type KvrocksSinkOptions, kvrocksSink } from '../sinks/kvrocks/index.js';
export { type PostgresOptions, type PostgresSink, postgresSink } from '../sinks/postgres/index.js';
export {
  RedisSink,
  type RedisSinkOptions,
  type RedisTargetOptions,
  redisSink,
} from '../sinks/redis/index.js';
export { StdoutSink, type StdoutSinkOptions, stdoutSink } from '../sinks/stdout/index.js';
export { WebhookSink, type WebhookSinkOptions, webhookSink } from '../sinks/webhook/index.js';
export {
  type AdministeredPipeline,
  AdminServer,
  type AdminServerOptions,
  type AdminStatus,
  PipelineMetrics,
} from './admin/index.js';
export {
  type CommandValue,
  type CommandWord,
  Database,
  type DatabaseOptions,
} from './data-model/commands/index.js';
export { ColumnFamily } from './data-model/index.js';
export {
  applyCheckpointExport,
  type Checkpoint,
  type CheckpointCreateOptions,
  type CheckpointExported,
  type CheckpointInfo,
  type CheckpointListFilter,
  type CheckpointPolicyOptions,
  type CheckpointRefreshOptions,
  type Checkpoints,
  type Commit,
  type ConsumerSlot,
  type ConsumerSlots,
  type DataItem,
  type DataIterator,
  type DataRange,
  type DataReader,
  defaultRetention,
  Engine,
  type EngineOptions,
  type EngineStats,
  type HeapDump,
  HeapProfiler,
  type HeapProfilerOptions,
  type HeapSummary,
  type LogHold,
  type MemoryOwners,
  type Recovery,
  type Restored,
  type RetentionEvent,
  type RetentionOptions,
  type RetentionState,
  type Snapshot,
  type Store,
  type StoreIterator,
  type SyncMode,
  type TimesFault,
  type WalBatch,
  type WalIterator,
  type WalRecord,
  WalRecordIterator,
} from './engine/index.js';
export { type ErrorCode, isTailraceError, TailraceError } from './errors/index.js';
export {
  type Change,
  Decoder,
  type Logger,
  type PluginContext,
  type Position,
  type Sink,
  type Source,
  type Transaction,
  type Undecodable,
  type ValueType,
} from './kit/index.js';
export {
  addStage,
  type BatchLimit,
  type ChangePredicate,
  type ChangeStage,
  chainStages,
  compileFilter,
  compileRoute,
  type DeadLetter,
  type DeadLetterTarget,
  dropStage,
  type ErrorPolicy,
  type FieldSelection,
  FileDeadLetters,
  FileOffsetsStore,
  type FilterOptions,
  filterStage,
  flattenStage,
  hashStage,
  type Lease,
  maskStage,
  type OffsetsStore,
  Pipeline,
  type PipelineOptions,
  type PipelineSink,
  type PipelineState,
  type PipelineStatus,
  type PostgresOffsetsOptions,
  PostgresOffsetsStore,
  parseJsonStage,
  RedisDeadLetters,
  type RedisOffsetsOptions,
  RedisOffsetsStore,
  renameStage,
  routeStage,
  SinkDeadLetters,
  type SinkErrorKind,
  type SinkState,
  type SinkStatus,
  type Stage,
  type StoredLetter,
  type StoredOffset,
  type TransactionDecoder,
  type TransactionTransform,
} from './pipeline/index.js';
export { Server, type ServerOptions } from './server/index.js';
export { RecordKind, validateWriteBatch, WriteBatchBuilder, WriteBatchReader } from './write-batch/index.js';
