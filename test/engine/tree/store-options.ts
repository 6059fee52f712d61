import { randomUUID } from 'node:crypto';
import type { TreeStoreOptions } from '../../../src/engine/tree/index.js';
import { nodeFiles } from '../../../src/files/index.js';

/** A new store of one tree with a small page cache, as large as the disk lets it be, but for what is `given`. */
export const storeOptions = (given: Partial<TreeStoreOptions> = {}): TreeStoreOptions => ({
  storeId: randomUUID(),
  columnFamilies: 1,
  pageCacheBytes: 1 << 20,
  maxDataBytes: Number.POSITIVE_INFINITY,
  isReadOnly: false,
  files: nodeFiles,
  ...given,
});
