import { afterEach, beforeEach, expect, it } from 'vitest';
import { hashKey } from '../../../src/engine/key-hash.js';
import { TreeStore } from '../../../src/engine/tree/index.js';
import type { TreeRoot } from '../../../src/engine/tree/superblock.js';
import { throwAwayDirectory } from '../../services/index.js';
import { SeededRandom } from '../../support/seeded-random.js';
import { ListChanges } from './list-changes.js';
import { storeOptions } from './store-options.js';

let directory: ReturnType<typeof throwAwayDirectory>;
beforeEach(() => {
  directory = throwAwayDirectory('lookups');
});
afterEach(() => directory.remove());

const openNew = async (pageCacheBytes: number): Promise<TreeStore> => {
  const options = storeOptions({ pageCacheBytes });
  await TreeStore.create(directory.path, options);
  return (await TreeStore.open(directory.path, options, [])).store;
};

let sequence = 0;
const put = (store: TreeStore, entries: ReadonlyMap<string, Buffer | undefined>): Promise<void> =>
  store.advance(
    [new ListChanges([...entries].map(([key, value]) => [Buffer.from(key, 'latin1'), value] as const))],
    ++sequence,
    { sliceMs: () => 5, beforeSwitch: async () => {} },
  );

type Model = Map<string, Buffer>;

/** Asks for every key, and for what lies beside it, by `get` and by both ways of seeking. */
const expectLookups = (store: TreeStore, model: Model): void => {
  const root = store.state.roots[0];
  if (root === undefined) throw new Error('no root');
  const sorted = [...model.keys()].sort();
  const cursor = store.cursor(root);
  const found = (): string | undefined => (cursor.valid ? cursor.key().toString('latin1') : undefined);
  for (const [i, key] of sorted.entries()) {
    const bytes = Buffer.from(key, 'latin1');
    const value = store.get(root, bytes);
    if (!value?.equals(model.get(key) as Buffer)) expect(value).toEqual(model.get(key));
    const behind = Buffer.concat([bytes, Buffer.of(0)]);
    if (!model.has(behind.toString('latin1'))) expect(store.get(root, behind)).toBeUndefined();
    cursor.seek(behind);
    if (found() !== sorted[i + 1]) expect(found()).toBe(sorted[i + 1]);
    cursor.seekBefore(bytes, false);
    if (found() !== sorted[i - 1]) expect(found()).toBe(sorted[i - 1]);
    const before = bytes.subarray(0, -1);
    const expected = model.get(before.toString('latin1'));
    if (expected === undefined) expect(store.get(root, before)).toBeUndefined();
  }
};

/** Asks for neighbours one after the other: upwards, downwards, and turning round now and then. */
const expectWalks = (store: TreeStore, model: Model, random: SeededRandom): void => {
  const root = store.state.roots[0];
  if (root === undefined) throw new Error('no root');
  const sorted = [...model.keys()].sort();
  const place = { bytes: Buffer.alloc(0), start: 0, end: 0 };
  let step = 1;
  for (let i = 0, steps = 0; steps < 3 * sorted.length; i += step, steps++) {
    if (i < 0 || i >= sorted.length || random.next() < 0.05) step = -step;
    const at = Math.min(Math.max(i, 0), sorted.length - 1);
    const key = Buffer.from(sorted[at], 'latin1');
    const value = model.get(sorted[at]) as Buffer;
    const isThere = store.locate(root, key, hashKey(key, 0, key.length), place);
    const found = isThere ? place.bytes.subarray(place.start, place.end) : undefined;
    if (!found?.equals(value)) expect(found).toEqual(value);
    if (random.next() > 0.1) continue;
    const missing = Buffer.concat([key, Buffer.of(random.below(256))]);
    if (!model.has(missing.toString('latin1'))) expect(store.get(root, missing)).toBeUndefined();
  }
};

/** Keys of one kind: what the first bytes tell of them differs much. */
const kinds: Record<string, (random: SeededRandom, i: number) => string> = {
  'numbers in order': (_, i) => String(i).padStart(12, '0'),
  'few bytes, zeros among them': (random) =>
    [...random.bytes(1 + random.below(8))].map((byte) => String.fromCharCode(byte & 0x81)).join(''),
  'any bytes': (random) => random.bytes(1 + random.below(12)).toString('latin1'),
  'the same at first': (random) =>
    `tenant:${'x'.repeat(random.below(3) * 40)}:user:${random.below(40)}:field:${random.below(300)}`,
  'longer than entries hold': (random) =>
    `${'k'.repeat(505 + random.below(10))}${random.below(90)}${'z'.repeat(random.below(4))}`,
};

for (const [kind, makeKey] of Object.entries(kinds))
  for (const [cache, pageCacheBytes] of [
    ['a page cache with room for all', 8 << 20],
    ['a page cache with room for little', 64 << 12],
  ] as const)
    it(`finds keys that are ${kind}, and only them, from ${cache} however often it is asked`, async () => {
      const random = SeededRandom.fromEnvironment(`lookups, ${kind}`);
      const store = await openNew(pageCacheBytes);
      const model: Model = new Map();
      for (let round = 0; round < 2; round++) {
        const changes = new Map<string, Buffer | undefined>();
        for (let i = 0; i < 2_000; i++) {
          const key = makeKey(random, round * 500 + i);
          const isDeleted = random.next() < 0.2 * round;
          changes.set(key, isDeleted ? undefined : random.bytes(random.below(12)));
        }
        for (const [key, value] of changes)
          if (value === undefined) model.delete(key);
          else model.set(key, value);
        await put(store, changes);
        for (let time = 0; time < 3; time++) expectLookups(store, model);
        expectWalks(store, model, random);
      }
      await store.audit();
      await store.close();
    });

it('finds in each of two states what it has, though neighbours are asked for in both by turns', async () => {
  const store = await openNew(0);
  const digits = [...'01234567'];
  const states: TreeRoot[] = [];
  for (const name of ['old', 'new']) {
    await put(store, new Map(digits.map((digit) => [`key:${digit}`, Buffer.from(`${name} ${digit}`)])));
    states.push(store.hold().state.roots[0] as TreeRoot);
  }
  const found = digits.map(
    (digit, i) => `${store.get(states[i % 2] as TreeRoot, Buffer.from(`key:${digit}`))}`,
  );
  expect(found).toEqual(digits.map((digit, i) => `${i % 2 === 0 ? 'old' : 'new'} ${digit}`));
  await store.close();
});
