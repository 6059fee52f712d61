export { Memtable } from './memtable.js';
