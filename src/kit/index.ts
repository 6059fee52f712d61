export {
  crc32c,
  type Line,
  LineSplitter,
  matchesGlob,
  readU32,
  readU64,
  writeU32,
  writeU64,
} from '../bytes/index.js';
export {
  appendRestoreProbe,
  appendStringPut,
  type Change,
  CommandEncoder,
  carrySlots,
  changeOps,
  changeTypes,
  countChanges,
  Decoder,
  type DecoderOptions,
  EventEncoder,
  type EventSource,
  metadataKeysOf,
  type ParsedEvent,
  parseEvent,
  type RedisCommand,
  type RedisMapping,
  StringPutTransaction,
  slotCount,
  slotOf,
  type Transaction,
  Turns,
  toRedisCommands,
  type Undecodable,
  type UnsupportedChange,
  type ValueType,
  WholeKeys,
  withChanges,
} from '../data-model/index.js';
// By the inner door: nothing else of the engine is loaded by those who only deliver.
export { LogFramer } from '../engine/wal/framing/index.js';
export {
  asError,
  codeOf,
  type ErrorCode,
  isTailraceError,
  messageOf,
  TailraceError,
} from '../errors/index.js';
export {
  describeHolder,
  inaccessible,
  type LockHolder,
  makeDirectory,
  nodeFiles,
  ProcessLock,
  refusePipe,
  replaceFile,
  requireWritable,
} from '../files/index.js';
export {
  ByteWriter,
  encodeCommand,
  parseRedisUrl,
  type Reply,
  ReplyError,
  type RespAddress,
  RespConnection,
  writeCommand,
} from '../resp/index.js';
export { batchCount, batchHeaderBytes, batchSequence, WriteBatchBuilder } from '../write-batch/index.js';
export { Backoff, type RetryOptions, systemTiming, type Timing } from './backoff.js';
export { CalmWarning } from './calm-warning.js';
export { capturesOf } from './captures.js';
export { withDeadline } from './deadline.js';
export type { Finding } from './finding.js';
export { ContiguityCheck, isSamePosition, positionOf, requireSameHistory } from './history.js';
export { defaultLargestWordBytes, readLargestWord } from './largest-word.js';
export { leaveOut } from './leave-out.js';
export { onceSettled } from './once-settled.js';
export type { OptionSchema, OptionsSchema } from './options-schema.js';
export { orGivenUp, patienceWithSinkMs } from './or-given-up.js';
export { Ownership, overtaken } from './ownership.js';
export {
  type Logger,
  type PluginContext,
  positionOwner,
  type SinkDefinition,
  type SourceDefinition,
} from './plugin.js';
export type { Position, StartPoint } from './position.js';
export { defaultAnswerTimeoutMs, RespServer } from './resp-server.js';
export { SequenceClock } from './sequence-clock.js';
export type { Claim, Guarantee, Rejection, Sink, SinkBatch, WriteOutcome } from './sink.js';
export { type LogState, type SlotOwner, type SlotState, slotFindings } from './slot-findings.js';
export type { Pulled, PullLimit, Retention, Source, SourceBatch, SourceTrouble } from './source.js';
export type { Transform, TransformContext } from './transform.js';
