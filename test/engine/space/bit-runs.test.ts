import { describe, expect, it } from 'vitest';
import {
  allocateWords,
  clearRun,
  flipRun,
  forEachRun,
  isBitSet,
  isRunClear,
  runBackward,
  runForward,
  setRun,
  stretchAt,
} from '../../../src/engine/space/bit-runs.js';
import { SeededRandom } from '../../support/seeded-random.js';

type Run = [start: number, length: number];

const bitsOf = (words: Int32Array, units: number): boolean[] =>
  Array.from({ length: units }, (_, unit) => ((words[unit >>> 5] >>> (unit & 31)) & 1) === 1);

/** Maximal runs of equal bits in `[from, to)`. */
const stretchesOf = (bits: readonly boolean[], from: number, to: number): [boolean, ...Run][] => {
  const stretches: [boolean, ...Run][] = [];
  for (let unit = from; unit < to; unit++) {
    const last = stretches.at(-1);
    if (last !== undefined && last[0] === bits[unit]) last[2]++;
    else stretches.push([bits[unit] === true, unit, 1]);
  }
  return stretches;
};

describe('runs of bits', () => {
  it('are set, cleared, turned over, measured and listed as in an array of booleans', () => {
    const random = SeededRandom.fromEnvironment('bit runs');
    for (let round = 0; round < 60; round++) {
      const units = 1 + random.below(400);
      const words = allocateWords(units);
      const model = new Array<boolean>(units).fill(false);
      for (let step = 0; step < 60; step++) {
        const start = random.below(units);
        const length = 1 + random.below(Math.min(units - start, random.next() < 0.5 ? 8 : 200));
        const before = model.slice(start, start + length);
        expect(isRunClear(words, start, length)).toBe(!before.includes(true));
        const toOnes = random.next() < 0.6;
        if (random.next() < 0.5) {
          (toOnes ? setRun : clearRun)(words, start, length);
          model.fill(toOnes, start, start + length);
        } else {
          const isOneKind = !before.includes(toOnes);
          expect(flipRun(words, start, length, toOnes)).toBe(isOneKind);
          if (isOneKind) model.fill(toOnes, start, start + length);
        }
        expect(bitsOf(words, units)).toEqual(model);
        const cap = 1 + random.below(300);
        const ahead = model.indexOf(false, start);
        expect(runForward(words, start, cap)).toBe(Math.min(cap, (ahead < 0 ? units : ahead) - start));
        expect(runBackward(words, start, cap)).toBe(Math.min(cap, start - model.lastIndexOf(false, start)));
      }
      const all = stretchesOf(model, 0, units);
      const runs: Run[] = [];
      forEachRun(words, units, (start, length) => runs.push([start, length]));
      expect(runs).toEqual(all.filter(([isSet]) => isSet).map(([, start, length]) => [start, length]));
      const from = random.below(units);
      const to = from + 1 + random.below(units - from);
      const stretches: [boolean, ...Run][] = [];
      for (let at = from, length = 0; at < to; at += length) {
        length = stretchAt(words, at, to);
        stretches.push([isBitSet(words, at), at, length]);
      }
      expect(stretches).toEqual(stretchesOf(model, from, to));
    }
  });
});
