/** A key that is searched for, on its way down the index. */
export interface WantedKey {
  bytes: Uint8Array;
  start: number;
  end: number;
  /** How many first bytes it is known to share with the first key of the run that is searched next. */
  shared: number;
  /** That of its bytes behind the prefix of the run that was searched last, if it has that prefix. */
  digest: number;
}
