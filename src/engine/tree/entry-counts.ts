/** How many entries a tree has while it is made. */
export interface EntryCounts {
  entries: number;
  /** Entries with runs of their own, for the value or the end of the key. */
  largeEntries: number;
}
