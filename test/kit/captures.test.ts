import { describe, expect, it } from 'vitest';
import { capturesOf } from '../../src/kit/index.js';
import { SeededRandom } from '../support/seeded-random.js';

describe('the captures of a key', () => {
  it('are those that a lazy regular expression finds', () => {
    const random = SeededRandom.fromEnvironment('captures');
    const text = (most: number): string =>
      Array.from({ length: random.below(most) }, () => random.pick(['a', 'b', ':'])).join('');
    let matched = 0;
    for (let round = 0; round < 20_000; round++) {
      const literals = Array.from({ length: 1 + random.below(4) }, () => text(3));
      const key = text(10);
      const expected = new RegExp(`^${literals.join('(.+?)')}$`).exec(key)?.slice(1);
      expect(capturesOf(key, literals), `${key} by ${JSON.stringify(literals)}`).toEqual(expected);
      if (expected !== undefined) matched++;
    }
    expect(matched).toBeGreaterThan(1_000);
  });

  it('are not there, which takes no time, in a long key that has every literal but the last', () => {
    const before = process.cpuUsage();
    expect(capturesOf(`t:${':'.repeat(100_000)}`, ['t:', ':', ':', ':', ':x'])).toBeUndefined();
    expect(process.cpuUsage(before).user).toBeLessThan(1_000_000);
  });
});
