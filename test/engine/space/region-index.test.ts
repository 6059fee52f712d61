import { describe, expect, it } from 'vitest';
import { RegionIndex } from '../../../src/engine/space/region-index.js';
import { SeededRandom } from '../../support/seeded-random.js';

describe('region index', () => {
  it('finds the lowest region and the next class as sets would, over all its levels', () => {
    const random = SeededRandom.fromEnvironment('region index');
    const classes = 70;
    for (const regions of [1, 33, 1_100, 100_000]) {
      const index = new RegionIndex(regions, classes);
      const model = Array.from({ length: classes }, () => new Set<number>());
      const pick = (): number =>
        random.next() < 0.5 ? random.below(regions) : regions - 1 - random.below(Math.min(regions, 3));
      for (let step = 0; step < 3_000; step++) {
        const sizeClass = 1 + random.below(random.next() < 0.5 ? 3 : classes - 1);
        const set = model[sizeClass];
        if (random.next() < 0.5) {
          const region = pick();
          index.add(sizeClass, region);
          set.add(region);
        } else {
          // As often one that is there as one that is not.
          const region = set.size > 0 && random.next() < 0.5 ? Math.min(...set) : pick();
          index.remove(sizeClass, region);
          set.delete(region);
        }
        expect(index.lowestRegion(sizeClass)).toBe(set.size > 0 ? Math.min(...set) : -1);
        const region = pick();
        expect(index.has(sizeClass, region)).toBe(set.has(region));
        const behind = [...set].filter((at) => at >= region);
        expect(index.regionFrom(sizeClass, region)).toBe(behind.length === 0 ? -1 : Math.min(...behind));
        const inUse = [...model.keys()].filter((at) => model[at].size > 0);
        expect(index.largestClass()).toBe(inUse.at(-1) ?? 0);
        expect(index.classFrom(sizeClass)).toBe(inUse.find((at) => at >= sizeClass) ?? 0);
      }
    }
  });
});
