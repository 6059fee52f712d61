/**
 * What is merged into a tree: keys in order, each with its new value or its deletion, and ranges that are deleted.
 * A range applies to what the tree holds, not to the keys given here: those are newer.
 *
 * Keys and values are borrowed until `next`. `reset` goes back to a `mark`, at most `changesPerMark` changes before.
 */
export interface Changes {
  readonly valid: boolean;
  readonly keyBytes: Uint8Array;
  readonly keyStart: number;
  readonly keyEnd: number;
  readonly isDeleted: boolean;
  readonly valueBytes: Uint8Array;
  readonly valueStart: number;
  readonly valueEnd: number;
  next(): void;
  mark(): number;
  reset(mark: number): void;
  /** In order; they do not overlap. */
  readonly ranges: readonly KeyRange[];
}

/** Keys from `begin` up to, not including, `end`. */
export interface KeyRange {
  readonly begin: Uint8Array;
  readonly end: Uint8Array;
}

/** How many changes may lie between a mark and the place from which `reset` goes back to it. */
export const changesPerMark = 64;
