export type { Change, Transaction, Undecodable, ValueType } from './change.js';
