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
export { type AdministeredPipeline, AdminServer, type AdminStatus, PipelineMetrics } from './admin/index.js';
export { type CommandValue, type CommandWord, Database } from './data-model/commands/index.js';
export { ColumnFamily } from './data-model/index.js';
export * from './engine/index.js';
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
export * from './pipeline/index.js';
export { Server, type ServerOptions } from './server/index.js';
export { RecordKind, validateWriteBatch, WriteBatchBuilder, WriteBatchReader } from './write-batch/index.js';
