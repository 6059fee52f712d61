/** A reading place in a byte string: `offset` moves towards `end`. Borrows `bytes`. */
export interface ByteCursor {
  readonly bytes: Uint8Array;
  offset: number;
  readonly end: number;
}
