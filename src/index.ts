// The library: `import { Engine, Server, Pipeline } from 'tailrace'`. Connector and sink authors use `tailrace/kit`.
export { EngineSource } from '../connectors/engine/index.js';
export { KvrocksSource, type KvrocksSourceOptions } from '../connectors/kvrocks/index.js';
export { WalSource, type WalSourceOptions } from '../connectors/wal/index.js';
export { FileSink, type FileSinkOptions } from '../sinks/file/index.js';
export { type KafkaSink, type KafkaSinkOptions, kafkaSink } from '../sinks/kafka/index.js';
export { RedisSink, type RedisSinkOptions } from '../sinks/redis/index.js';
export { StdoutSink, type StdoutSinkOptions } from '../sinks/stdout/index.js';
export { type AdministeredPipeline, AdminServer, type AdminStatus, PipelineMetrics } from './admin/index.js';
export { type CommandValue, type CommandWord, Database } from './data-model/commands/index.js';
export * from './engine/index.js';
export { type ErrorCode, isTailraceError, TailraceError } from './errors/index.js';
export { type Change, Decoder, type Transaction, type Undecodable, type ValueType } from './kit/index.js';
export * from './pipeline/index.js';
export { Server, type ServerOptions } from './server/index.js';
export { RecordKind, validateWriteBatch, WriteBatchBuilder, WriteBatchReader } from './write-batch/index.js';
