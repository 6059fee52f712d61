export { findLogDirectory, LogDirectoryReader, type LoggedBatch, summariseLog } from './log-directory.js';
export { LogFramer } from './log-framer.js';
export { LogReader } from './log-reader.js';
export type { Recovery } from './recover-segments.js';
export { listSegmentFiles, type SegmentFile } from './segment.js';
export { Wal, type WalOptions } from './wal.js';
export { LiveWalIterator } from './wal-iterator.js';
export { type WalRecord, WalRecordIterator } from './wal-record-iterator.js';
