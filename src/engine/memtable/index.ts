export type { Found, Memtable } from './memtable.js';
export { MemtableCursor } from './memtable-cursor.js';
export { MemtableGroup } from './memtable-group.js';
