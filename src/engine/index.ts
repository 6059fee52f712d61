export type {
  Commit,
  DataItem,
  DataIterator,
  DataRange,
  DataReader,
  Snapshot,
  Store,
  SyncMode,
  WalBatch,
  WalIterator,
} from './engine-api.js';
export type { StoreIterator } from './store-iterator.js';
