import { lowestBit, runForward } from './bit-runs.js';

/**
 * Searches for a free run in the words from `first` to `last`, a region's. Each answers with twice the run's place,
 * counted from the first word's lowest unit, plus 1 when there is another run like it; `none` when there is none.
 *
 * Hot: one region is searched for an allocation (bench `space`).
 */

export const none = -1;
/** There are runs of the class asked for, but none of them is long enough. */
export const tooShort = -2;

/**
 * The first run of exactly `length` units, 1 to 31; the words are a multiple of four.
 *
 * A run of n units starts where a bit is the first free one and ends before the n-th behind it, the first used one.
 * Two short runs can look like that too, so what is found is checked. Four words are looked at between branches,
 * because where free units stand is not to be guessed.
 */
export const findShortRun = (words: Int32Array, first: number, last: number, length: number): number => {
  const rest = 32 - length;
  let chosen = none;
  let word = words[first];
  // The words around stand in other cache lines, and matter only when the first or the last unit is free.
  let edges = word ^ ((word << 1) | ((word & 1) !== 0 && first > 0 ? words[first - 1] >>> 31 : 0));
  for (let at = first; at < last; at += 4) {
    const starts0 = edges & word;
    const ends0 = edges ^ starts0;
    const word1 = words[at + 1];
    edges = word1 ^ ((word1 << 1) | (word >>> 31));
    const starts1 = edges & word1;
    const ends1 = edges ^ starts1;
    const word2 = words[at + 2];
    edges = word2 ^ ((word2 << 1) | (word1 >>> 31));
    const starts2 = edges & word2;
    const ends2 = edges ^ starts2;
    const word3 = words[at + 3];
    edges = word3 ^ ((word3 << 1) | (word2 >>> 31));
    const starts3 = edges & word3;
    const ends3 = edges ^ starts3;
    word = at + 4 < last || word3 < 0 ? words[at + 4] : 0;
    edges = word ^ ((word << 1) | (word3 >>> 31));
    const found0 = starts0 & ((ends0 >>> length) | (ends1 << rest));
    const found1 = starts1 & ((ends1 >>> length) | (ends2 << rest));
    const found2 = starts2 & ((ends2 >>> length) | (ends3 << rest));
    const found3 = starts3 & ((ends3 >>> length) | ((edges & ~word) << rest));
    if ((found0 | found1 | found2 | found3) === 0) continue;
    for (let i = 0; i < 4; i++) {
      let found = i < 2 ? (i === 0 ? found0 : found1) : i === 2 ? found2 : found3;
      for (; found !== 0; found &= found - 1) {
        const bit = lowestBit(found);
        const run = (words[at + i] >>> bit) | ((words[at + i + 1] << 1) << (31 - bit));
        if ((~run & ((1 << length) - 1)) !== 0) continue;
        if (chosen >= 0) return (chosen << 1) | 1;
        chosen = ((at + i - first) << 5) | bit;
      }
    }
  }
  return chosen < 0 ? none : chosen << 1;
};

/** The same of a length from 32 on. */
export const findExactRun = (words: Int32Array, first: number, last: number, length: number): number => {
  const skip = length >>> 5;
  const shift = length & 31;
  let carry = (words[first] & 1) !== 0 && first > 0 ? words[first - 1] >>> 31 : 0;
  let chosen = none;
  for (let at = first; at <= last; at++) {
    const word = words[at];
    const starts = word & ~((word << 1) | carry);
    carry = word >>> 31;
    if (starts === 0) continue;
    const behind = words[at + skip];
    let ends = ~behind & ((behind << 1) | (words[at + skip - 1] >>> 31));
    if (shift !== 0) {
      const next = words[at + skip + 1];
      ends = (ends >>> shift) | ((~next & ((next << 1) | (behind >>> 31))) << (32 - shift));
    }
    for (let found = starts & ends; found !== 0; found &= found - 1) {
      const bit = lowestBit(found);
      if (runForward(words, at * 32 + bit, length) < length) continue;
      if (chosen >= 0) return (chosen << 1) | 1;
      chosen = ((at - first) << 5) | bit;
    }
  }
  return chosen < 0 ? none : chosen << 1;
};

/**
 * The first run of a class that has at least `length` units, another one being any other of the class; `tooShort` when
 * all of them are shorter. `classOf` has the classes of lengths up to the over-long one, its last.
 */
export const findRunOfClass = (
  words: Int32Array,
  first: number,
  last: number,
  classOf: Uint16Array,
  sizeClass: number,
  length: number,
): number => {
  const overLong = classOf.length - 1;
  let carry = first > 0 ? words[first - 1] >>> 31 : 0;
  let chosen = none;
  let hasOther = false;
  for (let at = first; at <= last; at++) {
    const word = words[at];
    let starts = word & ~((word << 1) | carry);
    carry = word >>> 31;
    for (; starts !== 0; starts &= starts - 1) {
      const bit = lowestBit(starts);
      const run = runForward(words, at * 32 + bit, overLong);
      if (classOf[run] !== sizeClass) continue;
      if (chosen < 0 && run >= length) chosen = ((at - first) << 5) | bit;
      else hasOther = true;
      if (chosen >= 0 && hasOther) return (chosen << 1) | 1;
    }
  }
  if (chosen >= 0) return chosen << 1;
  return hasOther ? tooShort : none;
};
