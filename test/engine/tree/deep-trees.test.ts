import { expect, it } from 'vitest';
import { type KeyRange, TreeStore } from '../../../src/engine/tree/index.js';
import { throwAwayDirectory } from '../../services/index.js';
import { SeededRandom } from '../../support/seeded-random.js';
import { ListChanges } from './list-changes.js';
import { storeOptions } from './store-options.js';

/** TREES=1000 is the long setting. */
const trees = Number(process.env['TREES'] ?? 16);
const stepsPerTree = 60;

type Changed = Map<string, Buffer | undefined>;

/**
 * Keys in order, of which some in a row begin alike: separators between them are long, the longest with a tail in a run of
 * its own, so that few fit a page and a tree of a thousand keys has up to four levels.
 */
const randomKeys = (random: SeededRandom): string[] => {
  const count = random.pick([200, 800, 1_500, 2_500]);
  const alike = random.pick([1, 2, 8, 30]);
  const prefixLength = random.pick([3, 40, 200, 400, 600]);
  const hasTails = random.next() < 0.2;
  let prefix = '';
  return Array.from({ length: count }, (_, i) => {
    if (i % alike === 0) prefix = random.bytes(prefixLength).toString('base64').slice(0, prefixLength);
    return `${prefix}${String(i).padStart(5, '0')}${hasTails && i % 40 === 0 ? 'z'.repeat(6_000) : ''}`;
  }).sort();
};

/** Writes and deletes at places anywhere, or in a row: what was drained before is filled again. */
const randomStep = (
  random: SeededRandom,
  keys: readonly string[],
  largestValue: number,
): { changes: Changed; ranges: KeyRange[] } => {
  const changes: Changed = new Map();
  const ranges: KeyRange[] = [];
  const write = (key: string): void => void changes.set(key, random.bytes(random.below(largestValue)));
  const row = (most: number): readonly string[] => {
    const from = random.below(keys.length);
    return keys.slice(from, from + random.below(most));
  };
  const kind = random.pick(['few', 'many', 'drain', 'drain', 'fill', 'fill', 'drain and fill', 'range']);
  if (kind === 'few' || kind === 'many') {
    const writes = kind === 'few' ? 6 : keys.length;
    for (let left = random.below(writes); left >= 0; left--) write(random.pick(keys));
  }
  if (kind.startsWith('drain'))
    for (const key of row(random.pick([60, keys.length]))) changes.set(key, undefined);
  if (kind.endsWith('fill')) for (const key of row(200)) write(key);
  if (kind === 'range') {
    const covered = row(keys.length);
    const [begin, end] = [covered.at(0), covered.at(-1)];
    if (begin !== undefined && end !== undefined && begin < end)
      ranges.push({ begin: Buffer.from(random.next() < 0.2 ? '' : begin), end: Buffer.from(end) });
    for (const key of row(40)) write(key);
  }
  return { changes, ranges };
};

it('trees of every depth keep their order while parts of them are drained and filled again', async () => {
  const seeds = SeededRandom.fromEnvironment('deep trees');
  let deepest = 0;
  for (let tree = 0; tree < trees; tree++) {
    const random = seeds.fork();
    const directory = throwAwayDirectory('deep-tree');
    const options = storeOptions();
    await TreeStore.create(directory.path, options);
    const { store } = await TreeStore.open(directory.path, options, []);
    const keys = randomKeys(random);
    const largestValue = random.pick([20, 700, 1_500, 2_500]);
    const model = new Map<string, Buffer>();
    for (let sequence = 1; sequence <= stepsPerTree; sequence++) {
      const { changes, ranges } = randomStep(random, keys, largestValue);
      for (const { begin, end } of ranges)
        for (const key of model.keys())
          if (key >= begin.toString() && key < end.toString()) model.delete(key);
      for (const [key, value] of changes) {
        if (value === undefined) model.delete(key);
        else model.set(key, value);
      }
      const list = [...changes].map(([key, value]) => [Buffer.from(key), value] as const);
      await store.advance([new ListChanges(list, ranges)], sequence, {
        sliceMs: () => 5,
        beforeSwitch: async () => {},
      });
      await store.audit();
      const [root] = store.state.roots;
      deepest = Math.max(deepest, root.level);
      const cursor = store.cursor(root);
      cursor.seekFirst();
      for (const key of [...model.keys()].sort()) {
        const isThere = cursor.valid && cursor.key().toString() === key;
        if (!isThere || model.get(key)?.equals(cursor.value()) !== true)
          expect(cursor.valid && cursor.key().toString()).toBe(
            `${key} with its value, tree ${tree}, step ${sequence}`,
          );
        cursor.next();
      }
      expect(cursor.valid).toBe(false);
      const sought = random.pick(keys);
      expect(store.get(root, Buffer.from(sought))).toEqual(model.get(sought));
    }
    await store.close();
    directory.remove();
  }
  expect(deepest).toBeGreaterThan(1);
}, 3_600_000);
