import { expect, it } from 'vitest';
import { hashKey } from '../../../src/engine/key-hash.js';
import { KeyHints } from '../../../src/engine/tree/key-hints.js';
import { pageBytes } from '../../../src/engine/tree/page.js';
import { PageCache } from '../../../src/engine/tree/page-cache.js';
import { SeededRandom } from '../../support/seeded-random.js';

const largestUnit = 2 ** 32 - 1;
const hashOf = (name: string): number => hashKey(Buffer.from(name), 0, name.length);

it('hints at what was noted of a key in the same tree, or at nothing', () => {
  const random = SeededRandom.fromEnvironment('key hints');
  const hints = new KeyHints(0);
  const noted = new Map<string, number[]>();
  let found = 0;
  for (let i = 0; i < 20_000; i++) {
    const root = random.pick([7, 8, largestUnit]);
    const name = `key:${random.below(300)}`;
    const expected = noted.get(`${root} ${name}`);
    if (hints.find(root, hashOf(name))) {
      found++;
      expect([hints.unit, hints.frame, hints.place]).toEqual(expected);
    }
    const hint = [
      random.pick([1 + random.below(1000), largestUnit]),
      random.below(5000),
      random.below(pageBytes),
    ];
    noted.set(`${root} ${name}`, hint);
    hints.note(root, hashOf(name), hint[0], hint[1], hint[2]);
  }
  expect(found).toBeGreaterThan(5_000);
});

it('hints at nothing after it was cleared, when units of roots are used again', () => {
  const hints = new KeyHints(0);
  hints.note(7, hashOf('key'), 5, 3, 100);
  expect(hints.find(7, hashOf('key'))).toBe(true);
  expect(hints.find(8, hashOf('key'))).toBe(false);
  hints.clear();
  expect(hints.find(7, hashOf('key'))).toBe(false);
});

it('a frame of the page cache is told from the page that was in it before', () => {
  const cache = new PageCache(0, (unit, into, at) => into.fill(unit & 0xff, at, at + pageBytes));
  const frame = cache.fetch(5);
  expect(cache.refetch(5, frame)).toBe(true);
  expect(cache.bytes[cache.base]).toBe(5);
  cache.drop(5);
  expect(cache.refetch(5, frame)).toBe(false);
  expect(cache.fetch(6)).toBe(frame);
  expect(cache.refetch(5, frame)).toBe(false);
  expect(cache.refetch(6, frame)).toBe(true);
});
