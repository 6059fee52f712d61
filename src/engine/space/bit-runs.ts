/**
 * Runs of equal bits in words: bit `u & 31` of word `u >>> 5` stands for unit u. In the set of free units of a space
 * manager 1 is free, and that set is the whole truth about its space: adjacent free bits are one run, so neighbours
 * join by themselves and no block needs a node. In the pages of a versioned space and its map 1 is in use.
 *
 * Hot: plain functions on an Int32Array (bench `space`). Callers keep runs inside; where a scan may run to the end,
 * a word that is 0 behind it ends it (`allocateWords`).
 */

/** Length of the run of ones that starts at `unit`, counted up to `cap`; 0 when that bit is 0. */
export const runForward = (words: Int32Array, unit: number, cap: number): number => {
  let at = unit >>> 5;
  const bit = unit & 31;
  let zeros = ~words[at] >> bit;
  if (bit !== 0) zeros &= (1 << (32 - bit)) - 1; // the shift drags sign bits in
  if (zeros !== 0) return Math.min(lowestBit(zeros), cap);
  let length = 32 - bit;
  for (at++; length < cap; at++) {
    zeros = ~words[at];
    if (zeros !== 0) return Math.min(length + lowestBit(zeros), cap);
    length += 32;
  }
  return cap;
};

/** Length of the run of ones that ends with `unit` (inclusive), counted up to `cap`; 0 when that bit is 0. */
export const runBackward = (words: Int32Array, unit: number, cap: number): number => {
  let at = unit >>> 5;
  const bit = unit & 31;
  let zeros = ~words[at] << (31 - bit);
  if (zeros !== 0) return Math.min(Math.clz32(zeros), cap);
  let length = bit + 1;
  for (at--; length < cap && at >= 0; at--) {
    zeros = ~words[at];
    if (zeros !== 0) return Math.min(length + Math.clz32(zeros), cap);
    length += 32;
  }
  return Math.min(length, cap);
};

export const setRun = (words: Int32Array, start: number, length: number): void => {
  let at = start >>> 5;
  const bit = start & 31;
  if (bit + length <= 32) {
    words[at] |= lowMask(length) << bit;
    return;
  }
  words[at++] |= -1 << bit;
  let rest = length - (32 - bit);
  for (; rest >= 32; rest -= 32) words[at++] = -1;
  if (rest > 0) words[at] |= lowMask(rest);
};

export const clearRun = (words: Int32Array, start: number, length: number): void => {
  let at = start >>> 5;
  const bit = start & 31;
  if (bit + length <= 32) {
    words[at] &= ~(lowMask(length) << bit);
    return;
  }
  words[at++] &= ~(-1 << bit);
  let rest = length - (32 - bit);
  for (; rest >= 32; rest -= 32) words[at++] = 0;
  if (rest > 0) words[at] &= ~lowMask(rest);
};

/** True when every bit of the run is 0. */
export const isRunClear = (words: Int32Array, start: number, length: number): boolean => {
  for (let unit = start, end = start + length; unit < end; ) {
    const bit = unit & 31;
    const inWord = Math.min(32 - bit, end - unit);
    if ((words[unit >>> 5] & (lowMask(inWord) << bit)) !== 0) return false;
    unit += inWord;
  }
  return true;
};

/** Turns a run of zeros into ones, or of ones into zeros. False, and all left as it was, when it is not all of one kind. */
export const flipRun = (words: Int32Array, start: number, length: number, toOnes: boolean): boolean => {
  const expected = toOnes ? 0 : -1;
  const end = start + length;
  for (let unit = start; unit < end; ) {
    const bit = unit & 31;
    const inWord = Math.min(32 - bit, end - unit);
    const mask = lowMask(inWord) << bit;
    if (((words[unit >>> 5] ^ expected) & mask) !== 0) {
      if (unit > start) flipRun(words, start, unit - start, !toOnes);
      return false;
    }
    words[unit >>> 5] ^= mask;
    unit += inWord;
  }
  return true;
};

/** Calls `visit` for every maximal run of ones in `[0, units)`, in order. */
export const forEachRun = (
  words: Int32Array,
  units: number,
  visit: (start: number, length: number) => void,
): void => {
  let start = 0;
  let length = 0;
  for (let at = 0, last = (units + 31) >>> 5; at < last; at++) {
    const word = words[at];
    if (word === -1) {
      if (length === 0) start = at * 32;
      length += 32;
      continue;
    }
    if (word === 0) {
      if (length > 0) visit(start, length);
      length = 0;
      continue;
    }
    // From edge to edge: the lowest bit that differs from the current run's kind ends it.
    for (let bit = 0, rest = word; bit < 32; ) {
      if (length === 0) {
        if (rest === 0) break;
        const skip = lowestBit(rest);
        bit += skip;
        rest >>>= skip;
        start = at * 32 + bit;
      }
      const zeros = ~rest;
      const ones = Math.min(zeros === 0 ? 32 : lowestBit(zeros), 32 - bit);
      length += ones;
      bit += ones;
      if (bit === 32) break;
      visit(start, length);
      length = 0;
      rest >>>= ones;
    }
  }
  if (length > 0) visit(start, length);
};

export const isBitSet = (words: Int32Array, unit: number): boolean =>
  ((words[unit >>> 5] >>> (unit & 31)) & 1) !== 0;

/** Length of the stretch of bits equal to that of `unit` that starts there, up to `end`. */
export const stretchAt = (words: Int32Array, unit: number, end: number): number => {
  const isSet = isBitSet(words, unit);
  const whole = isSet ? -1 : 0;
  let at = unit + 1;
  while (at < end) {
    if ((at & 31) === 0 && at + 32 <= end && words[at >>> 5] === whole) at += 32;
    else if (isBitSet(words, at) === isSet) at++;
    else break;
  }
  return at - unit;
};

/** Index of the lowest set bit of a word that is not 0. */
export const lowestBit = (word: number): number => 31 - Math.clz32(word & -word);

/** Words for `units`, with spare ones that are always 0; aligned to 64 bytes, so that a region is whole cache lines. */
export const allocateWords = (units: number): Int32Array => {
  const length = ((units + 31) >>> 5) + spareWords;
  // Large buffers begin 16 bytes into a page, behind the allocator's header.
  return new Int32Array(new ArrayBuffer(length * 4 + 64), 48, length);
};

/** Words behind the last unit's, always 0: scans may read that far, as those of the last region of short runs do. */
export const spareWords = 129;

/** Number of zeros below the lowest set bit; 32 for 0. */
export const trailingZeros = (word: number): number => 32 - Math.clz32((word - 1) & ~word);

const lowMask = (bits: number): number => (bits === 32 ? -1 : (1 << bits) - 1);

export const populationCount = (word: number): number => {
  let bits = word - ((word >>> 1) & 0x55555555);
  bits = (bits & 0x33333333) + ((bits >>> 2) & 0x33333333);
  return Math.imul((bits + (bits >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
};
