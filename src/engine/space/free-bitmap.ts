/**
 * The set of free units as bits: word `u >>> 5`, bit `u & 31`, 1 = free. It is the whole truth about space;
 * adjacent free bits are one run, so neighbours join by themselves and no block needs a node.
 *
 * Hot: plain functions on an Int32Array (bench `space`). Callers keep runs inside the bitmap; words behind
 * the last unit are 0, which ends every scan.
 */

/** Length of the free run that starts at `unit`, counted up to `cap`; 0 when `unit` is used. */
export const runForward = (words: Int32Array, unit: number, cap: number): number => {
  let at = unit >>> 5;
  const bit = unit & 31;
  let used = ~words[at] >> bit;
  if (bit !== 0) used &= (1 << (32 - bit)) - 1; // the shift drags sign bits in
  if (used !== 0) return Math.min(lowestBit(used), cap);
  let length = 32 - bit;
  for (at++; length < cap; at++) {
    used = ~words[at];
    if (used !== 0) return Math.min(length + lowestBit(used), cap);
    length += 32;
  }
  return cap;
};

/** Length of the free run that ends with `unit` (inclusive), counted up to `cap`; 0 when `unit` is used. */
export const runBackward = (words: Int32Array, unit: number, cap: number): number => {
  let at = unit >>> 5;
  const bit = unit & 31;
  let used = ~words[at] << (31 - bit);
  if (used !== 0) return Math.min(Math.clz32(used), cap);
  let length = bit + 1;
  for (at--; length < cap && at >= 0; at--) {
    used = ~words[at];
    if (used !== 0) return Math.min(length + Math.clz32(used), cap);
    length += 32;
  }
  return Math.min(length, cap);
};

export const setFree = (words: Int32Array, start: number, length: number): void => {
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

export const setUsed = (words: Int32Array, start: number, length: number): void => {
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

/** True when no unit of the run is free. */
export const isRunUsed = (words: Int32Array, start: number, length: number): boolean => {
  for (let unit = start, end = start + length; unit < end; ) {
    const bit = unit & 31;
    const inWord = Math.min(32 - bit, end - unit);
    if ((words[unit >>> 5] & (lowMask(inWord) << bit)) !== 0) return false;
    unit += inWord;
  }
  return true;
};

/** Turns a run over when all of its units are of one kind: takes free units, or frees used ones. False = left as it was. */
export const flipRun = (words: Int32Array, start: number, length: number, isFree: boolean): boolean => {
  const expected = isFree ? 0 : -1;
  const end = start + length;
  for (let unit = start; unit < end; ) {
    const bit = unit & 31;
    const inWord = Math.min(32 - bit, end - unit);
    const mask = lowMask(inWord) << bit;
    if (((words[unit >>> 5] ^ expected) & mask) !== 0) {
      if (unit > start) flipRun(words, start, unit - start, !isFree);
      return false;
    }
    words[unit >>> 5] ^= mask;
    unit += inWord;
  }
  return true;
};

/** Calls `visit` for every maximal free run in `[0, units)`, in address order. */
export const forEachFreeRun = (
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
      const used = ~rest;
      const ones = Math.min(used === 0 ? 32 : lowestBit(used), 32 - bit);
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

/** Index of the lowest set bit of a word that is not 0. */
export const lowestBit = (word: number): number => 31 - Math.clz32(word & -word);

/** Words for `units`, with a spare one that is always 0; aligned to 64 bytes, so that a region is whole cache lines. */
export const allocateWords = (units: number): Int32Array => {
  const length = ((units + 31) >>> 5) + spareWords;
  // Large buffers begin 16 bytes into a page, behind the allocator's header.
  return new Int32Array(new ArrayBuffer(length * 4 + 64), 48, length);
};

/** Words behind the last unit's, always 0: scans may read that far. */
export const spareWords = 16;

const lowMask = (bits: number): number => (bits === 32 ? -1 : (1 << bits) - 1);

export const populationCount = (word: number): number => {
  let bits = word - ((word >>> 1) & 0x55555555);
  bits = (bits & 0x33333333) + ((bits >>> 2) & 0x33333333);
  return Math.imul((bits + (bits >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
};
