export { type Changes, changesPerMark, type KeyRange } from './changes.js';
export { readSuperblock } from './data-file.js';
export { emptyRoot, encodeSuperblock, superblockUnits, type TreeRoot } from './superblock.js';
export type { TreeCursor } from './tree-cursor.js';
export { type HeldState, type TreeState, TreeStore, type TreeStoreOptions } from './tree-store.js';
