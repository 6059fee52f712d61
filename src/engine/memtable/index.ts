export type { Found, Memtable } from './memtable.js';
export { MemtableCursor } from './memtable-cursor.js';
export { changesOf, MemtableGroup } from './memtable-group.js';
export { MemtableMemory } from './memtable-memory.js';
