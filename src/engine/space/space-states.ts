/** States to start from: bitmaps by page, 1 = in use. A pin lists only the pages that differ from the next newer state. */
export interface SpaceStates {
  readonly units: number;
  /** Calls `visit` for the pages of the newest state, whose bits are borrowed; pages that are missing are free. */
  readonly forEachNewestPage: (visit: (page: number, bits: Int32Array) => void) => void;
  /** Pinned states, oldest first. */
  readonly pins: readonly ReadonlyMap<number, Int32Array>[];
}

/**
 * Takes what the states use out of `words`, a bitmap of units that are all free; returns what pinned states alone use,
 * by pages of `pageWords`.
 */
export const takeStates = (
  words: Int32Array,
  states: SpaceStates,
  pageWords: number,
): Map<number, Int32Array> => {
  const wordLimit = Math.ceil(states.units / 32);
  states.forEachNewestPage((page, bits) => {
    const base = page * pageWords;
    const count = Math.min(pageWords, wordLimit - base);
    for (let i = 0; i < count; i++) words[base + i] &= ~bits[i];
  });
  const pinned = unionOf(states.pins);
  for (const [page, bits] of pinned) {
    const base = page * pageWords;
    for (let i = 0; i < bits.length; i++) {
      const free = base + i < wordLimit ? words[base + i] : 0;
      if (base + i < wordLimit) words[base + i] = free & ~bits[i];
      bits[i] &= free;
    }
  }
  return pinned;
};

const unionOf = (states: readonly ReadonlyMap<number, Int32Array>[]): Map<number, Int32Array> => {
  const union = new Map<number, Int32Array>();
  for (const pages of states)
    for (const [page, bits] of pages) {
      const into = union.get(page);
      if (into === undefined) union.set(page, bits.slice());
      else for (let i = 0; i < bits.length; i++) into[i] |= bits[i];
    }
  return union;
};
