export type { DeletedRange } from './deleted-ranges.js';
export type { Memtable } from './memtable.js';
export { MemtableCursor, mayRemoveMore } from './memtable-cursor.js';
export { changesOf, MemtableGroup } from './memtable-group.js';
export { MemtableMemory } from './memtable-memory.js';
