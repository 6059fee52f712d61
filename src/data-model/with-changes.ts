import type { Change, Transaction, Undecodable } from './change.js';

/**
 * The same batch with other changes. Hot, so it is written out: a spread takes twice as long, and does not see changes that
 * are made when they are first read.
 */
export const withChanges = (
  { first, last, count, bytes, undecodable: whole, isSnapshot }: Transaction,
  changes: readonly Change[],
  undecodable: readonly Undecodable[] = whole,
): Transaction =>
  isSnapshot === undefined
    ? { first, last, count, bytes, changes, undecodable }
    : { first, last, count, bytes, changes, undecodable, isSnapshot };
