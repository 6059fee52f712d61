import { describe, expect, it } from 'vitest';
import { allocateWords, forEachRun, setRun } from '../../../src/engine/space/bit-runs.js';
import {
  findExactRun,
  findRunOfClass,
  findShortRun,
  none,
  tooShort,
} from '../../../src/engine/space/run-search.js';
import { shortLimit } from '../../../src/engine/space/short-runs.js';
import { SizeClasses } from '../../../src/engine/space/size-classes.js';
import { SeededRandom } from '../../support/seeded-random.js';

/** The maximal runs that start in the words of a region; their starts are counted from the region's first unit. */
const runsOf = (words: Int32Array, first: number, count: number): { start: number; length: number }[] => {
  const runs: { start: number; length: number }[] = [];
  forEachRun(words, words.length * 32, (start, length) => {
    if (start >= first * 32 && start < (first + count) * 32) runs.push({ start: start - first * 32, length });
  });
  return runs;
};

/** Free runs of which most are about `usual` units, in three regions, some of them over the edges of words. */
const freeRuns = (random: SeededRandom, regionWords: number, usual: number): Int32Array => {
  const words = allocateWords(3 * regionWords * 32);
  const units = 3 * regionWords * 32;
  for (let unit = random.below(2); unit < units; ) {
    const length = 1 + random.below(random.next() < 0.05 ? 400 : 2 * usual);
    setRun(words, unit, Math.min(length, units - unit));
    unit += length + 1 + random.below(random.next() < 0.5 ? 3 : 60);
  }
  return words;
};

describe('search for runs in a region', () => {
  it('finds the first short run of a length, and tells of every other one, in regions of all sizes', () => {
    const random = SeededRandom.fromEnvironment('short run search');
    for (let round = 0; round < 300; round++) {
      const count = [8, 32, 64, 128][round % 4] ?? 8;
      const words = freeRuns(random, count, 1 + random.below(31));
      const first = count * random.below(3);
      const runs = runsOf(words, first, count);
      for (let length = 1; length < shortLimit; length++) {
        const [expected, another] = runs.filter((run) => run.length === length);
        const found = findShortRun(words, first, first + count, length);
        if (expected === undefined) expect(found).toBe(none);
        else expect(found >> 1).toBe(expected.start);
        if (another !== undefined) expect(found & 1).toBe(1);
      }
    }
  });

  it('finds the first longer run of a length, and whether there is another', () => {
    const random = SeededRandom.fromEnvironment('exact run search');
    for (let round = 0; round < 200; round++) {
      const count = 32 << (round % 3);
      const words = freeRuns(random, count, 40);
      const first = count * random.below(3);
      const runs = runsOf(words, first, count);
      for (let length = shortLimit; length < 100; length++) {
        const [expected, another] = runs.filter((run) => run.length === length);
        const found = findExactRun(words, first, first + count - 1, length);
        if (expected === undefined) expect(found).toBe(none);
        else expect(found).toBe(2 * expected.start + (another === undefined ? 0 : 1));
      }
    }
  });

  it('finds the first run of a class that is long enough, and whether another has the class', () => {
    const random = SeededRandom.fromEnvironment('class search');
    const overLong = 321;
    const { ofLength, longest } = new SizeClasses(overLong - 1);
    const classOf = (length: number): number => ofLength[Math.min(length, overLong)];
    for (let round = 0; round < 200; round++) {
      const count = 32 << (round % 3);
      const words = freeRuns(random, count, 150);
      const first = count * random.below(3);
      const runs = runsOf(words, first, count);
      for (let sizeClass = classOf(65); sizeClass <= longest; sizeClass++) {
        const ofClass = runs.filter((run) => classOf(run.length) === sizeClass);
        const least = Math.min(ofLength.indexOf(sizeClass) + random.below(6), overLong);
        const expected = ofClass.find((run) => run.length >= least);
        const found = findRunOfClass(words, first, first + count - 1, ofLength, sizeClass, least);
        if (expected !== undefined) expect(found).toBe(2 * expected.start + (ofClass.length > 1 ? 1 : 0));
        else expect(found).toBe(ofClass.length > 0 ? tooShort : none);
      }
    }
  });
});
