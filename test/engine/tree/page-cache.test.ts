import { expect, it } from 'vitest';
import { pageBytes } from '../../../src/engine/tree/page.js';
import { PageCache } from '../../../src/engine/tree/page-cache.js';
import { SeededRandom } from '../../support/seeded-random.js';

/** As many as it has at least. */
const frames = 64;

it('a page cache has of each page what was read or put last, whatever was dropped or could not be read', () => {
  const random = SeededRandom.fromEnvironment('page cache');
  const onDisk = new Map<number, number>();
  let isFailing = false;
  const cache = new PageCache(0, (unit, into, at) => {
    into.fill(0xff, at, at + pageBytes);
    if (isFailing) throw new Error('no');
    into.fill(0, at, at + pageBytes);
    into.writeUInt32LE(unit, at);
    into.writeUInt32LE(onDisk.get(unit) ?? 0, at + 4);
  });
  const expectPage = (unit: number): void =>
    expect([cache.bytes.readUInt32LE(cache.base), cache.bytes.readUInt32LE(cache.base + 4)]).toEqual([
      unit,
      onDisk.get(unit) ?? 0,
    ]);
  const page = Buffer.alloc(2 * pageBytes);
  const seenIn = new Map<number, number>();
  for (let i = 1; i <= 15_000; i++) {
    const unit = 1 + random.below(100);
    const dice = random.below(20);
    if (dice < 2) {
      cache.drop(unit);
      onDisk.set(unit, i);
    } else if (dice < 4) {
      onDisk.set(unit, i);
      page.writeUInt32LE(unit, pageBytes);
      page.writeUInt32LE(i, pageBytes + 4);
      cache.put(unit, page, pageBytes);
    } else if (dice < 5) {
      isFailing = true;
      const wasThere = cache.peek(unit);
      if (wasThere) cache.fetch(unit);
      else expect(() => cache.fetch(unit)).toThrow('no');
      isFailing = false;
      expect(cache.peek(unit)).toBe(wasThere);
    } else if (dice < 8) {
      if (cache.refetch(unit, seenIn.get(unit) ?? 0)) expectPage(unit);
    } else if (dice < 10) {
      if (cache.peek(unit)) expectPage(unit);
    } else {
      seenIn.set(
        unit,
        cache.fetch(unit, random.pick([-1, seenIn.get(unit) ?? -1, random.below(seenIn.size + 1)])),
      );
      expectPage(unit);
    }
  }
  // No frame went missing, and none keeps its page for ever.
  const others = Array.from({ length: 5 * frames }, (_, i) => 1_000 + i);
  for (const unit of others) cache.fetch(unit);
  expect(others.filter((unit) => cache.peek(unit))).toHaveLength(frames);
});

it('a page cache keeps what is used between the pages that pass through it', () => {
  let readAgain = 0;
  const cache = new PageCache(0, (unit) => {
    if (unit < 3) readAgain++;
  });
  let frame = cache.fetch(2);
  for (let unit = 3; unit < 2_000; unit++) {
    cache.fetch(unit);
    cache.fetch(1);
    if (!cache.refetch(2, frame)) frame = cache.fetch(2);
  }
  expect(readAgain).toBeLessThan(10);
});
