export { RocksdbSnapshot, type RocksdbSnapshotOptions } from './rocksdb-snapshot.js';
export type { LogEnd } from './unmerged-writes.js';
