import { lowestBit, runForward } from './bit-runs.js';

/**
 * Searches for a free run in the words of a region. Each answers with twice the run's place, counted from the first
 * word's lowest unit, plus 1 when there is another run like it; `none` when there is none.
 *
 * Hot: one region is searched for an allocation (bench `space`).
 */

export const none = -2;
/** There are runs of the class asked for, but none of them is long enough. Odd, as all answers that leave a run there. */
export const tooShort = -1;

/**
 * The first run of exactly `length` units, 1 to 31; the words, those before `to`, are a multiple of four, at most 128. May
 * tell of another run where there is none.
 *
 * A run of n units starts where a bit is the first free one and ends before the n-th behind it, the first used one. Two
 * short runs can look like that too, so what is found is checked, when all words have been looked at: where free units
 * stand is not to be guessed, and so no branch on the way hangs on it.
 */
export const findShortRun = (words: Int32Array, from: number, to: number, length: number): number => {
  const rest = 32 - length;
  let word = words[from];
  // The words around stand in other cache lines, and matter only when the first or the last unit is free.
  let edges = word ^ ((word << 1) | ((word & 1) !== 0 && from > 0 ? words[from - 1] >>> 31 : 0));
  let count = 0;
  for (let at = from; at < to; at += 4) {
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
    word = at + 4 < to || word3 < 0 ? words[at + 4] : 0;
    edges = word ^ ((word << 1) | (word3 >>> 31));
    // Where runs seem to start, of the words where any does.
    let found = starts0 & ((ends0 >>> length) | (ends1 << rest));
    starts[count] = found;
    places[count] = at;
    count += (found | -found) >>> 31;
    found = starts1 & ((ends1 >>> length) | (ends2 << rest));
    starts[count] = found;
    places[count] = at + 1;
    count += (found | -found) >>> 31;
    found = starts2 & ((ends2 >>> length) | (ends3 << rest));
    starts[count] = found;
    places[count] = at + 2;
    count += (found | -found) >>> 31;
    found = starts3 & ((ends3 >>> length) | ((edges & ~word) << rest));
    starts[count] = found;
    places[count] = at + 3;
    count += (found | -found) >>> 31;
  }
  for (let i = 0; i < count; i++) {
    const at = places[i];
    for (let found = starts[i]; found !== 0; found &= found - 1) {
      const bit = lowestBit(found);
      const run = (words[at] >>> bit) | ((words[at + 1] << 1) << (31 - bit));
      if ((~run & ((1 << length) - 1)) !== 0) continue;
      const others = (count - 1 - i) | (found & (found - 1));
      return ((at - from) << 6) | (bit << 1) | ((others | -others) >>> 31);
    }
  }
  return none;
};

/** As many words as the largest region has, and one that is written and not counted. */
const maxWords = 129;
const starts = new Int32Array(maxWords);
const places = new Int32Array(maxWords);

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
