export { RocksdbSnapshot } from './rocksdb-snapshot.js';
