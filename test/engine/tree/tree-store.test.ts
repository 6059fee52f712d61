import { statSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { childrenOf } from '../../../src/engine/tree/branch-children.js';
import { type KeyRange, TreeStore, type TreeStoreOptions } from '../../../src/engine/tree/index.js';
import { type Files, nodeFiles } from '../../../src/files/index.js';
import { throwAwayDirectory } from '../../services/index.js';
import { SeededRandom } from '../../support/seeded-random.js';
import { compiled } from './compiled.js';
import { ListChanges } from './list-changes.js';
import { storeOptions } from './store-options.js';

let directory: ReturnType<typeof throwAwayDirectory>;
let options: TreeStoreOptions;
beforeEach(() => {
  directory = throwAwayDirectory('tree');
  options = storeOptions({ columnFamilies: 2 });
});
afterEach(() => directory.remove());

let where: { stores: Pick<typeof TreeStore, 'create' | 'open'>; files: Files; isInThread: boolean };
const openNew = async (): Promise<TreeStore> => {
  await where.stores.create(directory.path, { ...options, files: where.files });
  return open();
};
const open = async (): Promise<TreeStore> =>
  (await where.stores.open(directory.path, { ...options, files: where.files }, [])).store;

type Model = Map<string, Buffer>;
const latin1 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1');
/** Latin-1 strings order as the bytes do. */
const sortedKeys = (model: Model): string[] => [...model.keys()].sort();

const expectContent = (store: TreeStore, model: Model, root = store.state.roots[0]): void => {
  if (root === undefined) throw new Error('no root');
  const cursor = store.cursor(root);
  cursor.seekFirst();
  for (const key of sortedKeys(model)) {
    const found = cursor.valid ? cursor.key().toString('latin1') : undefined;
    if (found !== key) expect(found).toBe(key);
    const value = model.get(key);
    if (!value?.equals(cursor.value())) expect(cursor.value()).toEqual(value);
    cursor.next();
  }
  expect(cursor.valid).toBe(false);
};

let sequence = 0;
const advance = async (
  store: TreeStore,
  changes: ReadonlyMap<string, Buffer | undefined>,
  ranges: readonly KeyRange[] = [],
): Promise<void> => {
  const list = [...changes].map(([key, value]) => [Buffer.from(key, 'latin1'), value] as const);
  const all = [new ListChanges(list, ranges), new ListChanges([])];
  await store.advance(all, ++sequence, {
    isInThread: where.isInThread,
    sliceMs: () => 5,
    beforeSwitch: async () => {},
  });
};

/** A tree of three levels, what is in it, and the separators before its branches, but for the first one. */
const openWithBranches = async (): Promise<{ store: TreeStore; all: Model; begins: Buffer[] }> => {
  const store = await openNew();
  const keys = Array.from({ length: 1_500 }, (_, n) => `${'k'.repeat(40)}${String(n).padStart(6, '0')}`);
  const all: Model = new Map(keys.map((key, n) => [key, Buffer.alloc(1_500, n)]));
  await advance(store, all);
  const [root] = store.state.roots;
  expect(root.level).toBe(2);
  const [, ...branches] = childrenOf(root.unit, store.cache);
  expect(branches.length).toBeGreaterThan(1);
  return { store, all, begins: branches.map(({ separator }) => separator.inline) };
};

/** Changes a model at random, some keys and values too large for a page, and says what it changed. */
const randomChanges = (
  random: SeededRandom,
  model: Model,
): { changes: Map<string, Buffer | undefined>; ranges: KeyRange[] } => {
  const stem = Buffer.alloc(600, 'k').toString();
  const randomKey = (): string => {
    const dice = random.next();
    if (dice < 0.6) return `user:${String(random.below(9_000)).padStart(6, '0')}`;
    if (dice < 0.8) return random.bytes(random.below(9)).toString('latin1');
    if (dice < 0.81) return `${stem}${random.below(60)}${'x'.repeat(random.below(9_000))}`;
    return `blob:${random.below(500)}`;
  };
  const ranges: KeyRange[] = [];
  for (let i = random.next() < 0.25 ? random.below(4) : 0; i > 0; i--) {
    const [begin, end] = [randomKey(), randomKey()]
      .map((key) => Buffer.from(random.next() < 0.1 ? '' : key, 'latin1'))
      .sort(Buffer.compare) as [Buffer, Buffer];
    if (ranges.some((other) => Buffer.compare(begin, other.end) < 0 && Buffer.compare(other.begin, end) < 0))
      continue;
    if (Buffer.compare(begin, end) < 0) ranges.push({ begin, end });
  }
  ranges.sort((a, b) => Buffer.compare(a.begin, b.begin));
  for (const { begin, end } of ranges)
    for (const key of [...model.keys()]) if (latin1(begin) <= key && key < latin1(end)) model.delete(key);
  const changes = new Map<string, Buffer | undefined>();
  const deletes = random.next();
  for (let i = random.below(random.next() < 0.3 ? 3_000 : 60); i >= 0; i--) {
    const key = randomKey();
    if (random.next() < deletes) {
      changes.set(key, undefined);
      model.delete(key);
    } else {
      const size =
        random.next() < 0.02 ? random.below(20_000) : random.below(random.next() < 0.1 ? 2_500 : 60);
      const value = random.bytes(size);
      changes.set(key, value);
      model.set(key, value);
    }
  }
  return { changes, ranges };
};

describe.each([
  { title: 'tree store', here: async () => ({ stores: TreeStore, files: nodeFiles, isInThread: false }) },
  { title: 'tree store that merges in a thread of its own', here: compiled },
])('$title', ({ here }) => {
  beforeEach(async () => {
    where = await here();
  });

  it('agrees with a plain map through merges of every kind, and uses exactly the units that it refers to', async () => {
    const random = SeededRandom.fromEnvironment('tree model');
    let store = await openNew();
    const model: Model = new Map();
    for (let round = 0; round < 30; round++) {
      const { changes, ranges } = randomChanges(random, model);
      await advance(store, changes, ranges);
      await store.audit();
      if (round % 10 === 9) {
        await store.close();
        store = await open();
      }
      const root = store.state.roots[0];
      if (root === undefined) throw new Error('no root');
      if (round % 5 === 4) expectContent(store, model);
      expect(root.entries).toBe(model.size);
      for (const key of changes.keys()) {
        const found = store.get(root, Buffer.from(key, 'latin1'));
        if (!found?.equals(model.get(key) ?? Buffer.from('?')) && found !== model.get(key))
          expect(found).toEqual(model.get(key));
      }
    }
    const keys = sortedKeys(model).map((key) => Buffer.from(key, 'latin1'));
    const root = store.state.roots[0];
    if (root === undefined) throw new Error('no root');
    const cursor = store.cursor(root);
    const back: Buffer[] = [];
    for (cursor.seekLast(); cursor.valid; cursor.previous()) back.push(cursor.key());
    expect(back.reverse()).toEqual(keys);
    for (let i = 0; i < 200; i++) {
      const target =
        random.next() < 0.5 && keys.length > 0
          ? keys[random.below(keys.length)]
          : random.bytes(random.below(9));
      if (target === undefined) continue;
      const key = (): string | undefined => (cursor.valid ? cursor.key().toString('latin1') : undefined);
      cursor.seek(target);
      expect(key()).toBe(keys.find((other) => Buffer.compare(other, target) >= 0)?.toString('latin1'));
      cursor.seekBefore(target, false);
      expect(key()).toBe(keys.findLast((other) => Buffer.compare(other, target) < 0)?.toString('latin1'));
      cursor.seekBefore(target, true);
      expect(key()).toBe(keys.findLast((other) => Buffer.compare(other, target) <= 0)?.toString('latin1'));
    }
    await store.close();
  });

  it('gives back all of a separator whose page alone is left of a tree', async () => {
    const store = await openNew();
    const keys = Array.from({ length: 30 }, (_, n) => `${'k'.repeat(600)}${String(n).padStart(2, '0')}`);
    const all = new Map(keys.map((key, n) => [key, Buffer.alloc(300, n)]));
    // With some of these all pages but the last go, and that stays as it is.
    for (let end = 1; end < keys.length; end++) {
      await advance(store, all);
      expect(store.state.roots[0]?.level).toBe(1);
      await advance(store, new Map(keys.slice(0, end).map((key) => [key, undefined])));
      expectContent(store, new Map([...all].slice(end)));
      await store.audit();
    }
    await store.close();
  });

  it('keeps its order where the first pages below a branch went and keys come back there', async () => {
    const { store, all, begins } = await openWithBranches();
    const keys = [...all.keys()];
    for (const begin of begins) {
      const first = keys.findIndex((key) => key >= begin.toString('latin1'));
      const drained = keys.slice(first, first + 12);
      await advance(store, new Map(drained.map((key) => [key, undefined])));
      await advance(store, new Map(drained.map((key) => [key, all.get(key)])));
      await store.audit();
    }
    expectContent(store, all);
    await store.close();
  });

  it('takes keys that are written where a range removed a whole branch', async () => {
    const { store, all, begins } = await openWithBranches();
    const [begin, end] = begins;
    const removed = [...all.keys()].filter((key) => key >= begin.toString() && key < end.toString());
    for (const key of removed) all.delete(key);
    const written = new Map(removed.slice(10, 60).map((key) => [key, Buffer.from('again')]));
    await advance(store, written, [{ begin, end }]);
    await store.audit();
    expectContent(store, new Map([...all, ...written]));
    await store.close();
  });

  it('splits leaves and branches that changes from everywhere make too large, into pages that are more than half full', async () => {
    const random = SeededRandom.fromEnvironment('split pages');
    const store = await openNew();
    const model: Model = new Map();
    for (let round = 0; round < 8; round++) {
      const changes = new Map<string, Buffer>();
      for (let i = 0; i < 800; i++)
        changes.set(`key ${random.below(1e9)}`.padStart(20, '0'), random.bytes(200 + random.below(1_000)));
      for (const [key, value] of changes) model.set(key, value);
      await advance(store, changes);
      await store.audit();
      expectContent(store, model);
    }
    let bytes = 0;
    for (const [key, value] of model) bytes += key.length + value.length;
    expect(store.state.roots[0]?.level).toBe(2);
    expect(store.space.liveUnits * 4096).toBeLessThan(2 * bytes);
    await store.close();
  });

  it('keeps a held state readable through any churn, and gives back every unit when it is let go', async () => {
    const random = SeededRandom.fromEnvironment('tree held states');
    const store = await openNew();
    const model: Model = new Map();
    await advance(store, randomChanges(random, model).changes);
    const base = new Map(model);
    const held = [];
    for (let round = 0; round < 25; round++) {
      if (round % 8 === 3) held.push({ hold: store.hold(), model: new Map(model) });
      const { changes, ranges } = randomChanges(random, model);
      await advance(store, changes, ranges);
      if (round % 11 === 10) held.splice(random.below(held.length), 1).map(({ hold }) => store.release(hold));
      await store.audit();
    }
    for (const { hold, model: then } of held) {
      expectContent(store, then, hold.state.roots[0]);
      store.release(hold);
    }
    // All keys go, the first ones come back: what is in use then depends on nothing that happened in between.
    await advance(store, new Map(base), [{ begin: Buffer.alloc(0), end: Buffer.alloc(20_000, 0xff) }]);
    await advance(store, new Map());
    await store.audit();
    store.space.reclaim();
    expect(store.space.retainedUnits).toBeLessThan(100);
    expectContent(store, base);
    expect(statSync(store.file.path).size).toBe(store.state.units * 4096);
    await store.close();
  });
});
