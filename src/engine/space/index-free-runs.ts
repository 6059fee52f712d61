import { lowestBit, populationCount, runForward, trailingZeros } from './bit-runs.js';
import type { RegionIndex } from './region-index.js';

/**
 * Makes every free run known to an empty index; returns the number of free units. `classOf` has the classes of lengths
 * up to the over-long one, its last. One pass without a call for each run: a great part of the time that opening takes.
 */
export const indexFreeRuns = (
  index: RegionIndex,
  words: Int32Array,
  units: number,
  regionShift: number,
  classOf: Uint16Array,
): number => {
  const overLong = classOf.length - 1;
  let free = 0;
  let carry = 0;
  for (let at = 0, end = (units + 31) >>> 5; at < end; at++) {
    const word = words[at];
    if (word === 0) {
      carry = 0;
      continue;
    }
    free += populationCount(word);
    let starts = word & ~((word << 1) | carry);
    carry = word >>> 31;
    for (; starts !== 0; starts &= starts - 1) {
      const bit = lowestBit(starts);
      let run = trailingZeros(~word >>> bit);
      if (run >= 32 - bit) run = runForward(words, at * 32 + bit, overLong);
      index.add(classOf[run < overLong ? run : overLong], at >>> (regionShift - 5));
    }
  }
  return free;
};
