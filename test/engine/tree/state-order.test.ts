import { fstatSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { readSuperblock } from '../../../src/engine/tree/data-file.js';
import { TreeStore } from '../../../src/engine/tree/index.js';
import { pageBytes } from '../../../src/engine/tree/page.js';
import { type Files, nodeFiles } from '../../../src/files/index.js';
import { throwAwayDirectory } from '../../services/index.js';
import { ListChanges } from './list-changes.js';
import { storeOptions } from './store-options.js';

let directory: ReturnType<typeof throwAwayDirectory>;
beforeEach(() => {
  directory = throwAwayDirectory('state-order');
});
afterEach(() => directory.remove());

const keyOf = (n: number): Buffer => Buffer.from(`key ${String(n).padStart(5, '0')}`);
const opened = async (files: Files): Promise<TreeStore> => {
  const options = storeOptions({ files });
  await TreeStore.create(directory.path, options);
  return (await TreeStore.open(directory.path, options, [])).store;
};
const advance = (store: TreeStore, list: Iterable<readonly [Buffer, Buffer | undefined]>): Promise<void> =>
  store.advance([new ListChanges(list)], store.state.sequence + 1, {
    sliceMs: () => 1,
    beforeSwitch: async () => undefined,
  });
/** Lets what is no longer held become free. */
const reclaimed = async (): Promise<void> => {
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
};

it('the data file is never shorter than the newest state in it says, also when it is cut', async () => {
  const path = join(directory.path, 'data');
  let cuts = 0;
  const store = await opened({
    ...nodeFiles,
    truncate: async (fd, length) => {
      if (length < fstatSync(fd).size) {
        cuts++;
        expect(length).toBeGreaterThanOrEqual(readSuperblock(path).units * pageBytes);
      }
      await nodeFiles.truncate(fd, length);
    },
  });
  const value = Buffer.alloc(1 << 20, 'v');
  await advance(
    store,
    Array.from({ length: 32 }, (_, n) => [keyOf(n), value] as const),
  );
  await advance(
    store,
    Array.from({ length: 32 }, (_, n) => [keyOf(n), undefined] as const),
  );
  for (let turn = 0; turn < 6; turn++) {
    await reclaimed();
    await advance(store, [[keyOf(turn), Buffer.from('small')]]);
  }
  expect(cuts).toBeGreaterThan(0);
  await store.close();
});

it('where a key was found is forgotten before the unit of its root is that of another one', async () => {
  const store = await opened(nodeFiles);
  const entry = (n: number, value: string): readonly [Buffer, Buffer] => [keyOf(n), Buffer.from(value)];
  const read = (n: number): string => `${store.get(store.state.roots[0], keyOf(n))}`;
  await advance(
    store,
    Array.from({ length: 2_000 }, (_, n) => entry(n, 'before')),
  );
  const first = store.hold(); // so that no leaf is written over in which a key was found
  const foundUnder = new Map<number, number>();
  for (let n = 0; n < 30; n++) {
    await advance(store, [entry(1_999, `${n}`)]);
    await reclaimed();
    for (let look = 0; look < 4; look++) expect(read(n)).toBe('before');
    foundUnder.set(store.state.roots[0].unit, n);
  }
  await advance(
    store,
    Array.from({ length: 30 }, (_, n) => entry(n, 'after')),
  );
  const seen = new Set<string>();
  for (let turn = 0; turn < 400 && seen.size === 0; turn++) {
    await reclaimed();
    await advance(store, [entry(1_999, `turn ${turn}`)]);
    const found = foundUnder.get(store.state.roots[0].unit);
    if (found !== undefined) seen.add(read(found));
  }
  expect([...seen]).toEqual(['after']);
  store.release(first);
  await store.close();
});
