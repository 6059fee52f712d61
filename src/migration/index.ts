export { CheckpointReader } from './checkpoint-reader.js';
export { DirectoryReader } from './directory-reader.js';
export { type KeyPlace, placeName, placeOf } from './key-place.js';
export type { KeyPart, KeyReader, PartLimit } from './key-reader.js';
export type { LogSource } from './log-follower.js';
export { hasPollUpdates, type KeyReaderOptions, makeKeyReader, tokensOf } from './make-key-reader.js';
export { Migration } from './migration.js';
export type { MigrationEnd, MigrationOptions, MigrationPhase, MigrationStatus } from './migration-options.js';
export { NoLog } from './no-log.js';
export type { RateLimits } from './rate-limit.js';
export { RawMigration, type RawMigrationOptions } from './raw/raw-migration.js';
export { RecordFilter } from './raw/record-filter.js';
export { DirectoryRecords, type RecordSource, ServerRecords } from './raw/record-source.js';
export { RecordReader } from './record-reader.js';
export { requireReply, ServerConnection } from './server-connection.js';
export { connectAt, createCheckpoint, type SourceCheckpoint, showCheckpoint } from './source-checkpoint.js';
export { SourceRun } from './source-run.js';
export { StateFile } from './state-file.js';
export type { ComparedTarget } from './verify/compared-target.js';
export { NamespacesTarget } from './verify/namespaces-target.js';
export { RecordTarget } from './verify/record-target.js';
export { ServerNames, type SourceNames } from './verify/source-names.js';
export { TargetKeys, type TargetNodes } from './verify/target-keys.js';
export {
  type Difference,
  Verification,
  type VerificationOptions,
  type VerificationStatus,
} from './verify/verification.js';
export { whileUnreachable } from './while-unreachable.js';
