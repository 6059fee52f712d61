import { closeSync, openSync, utimesSync, writeSync } from 'node:fs';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { TreeStore, type TreeStoreOptions } from '../../../src/engine/tree/index.js';
import { throwAwayDirectory } from '../../services/index.js';
import { ListChanges } from './list-changes.js';
import { storeOptions } from './store-options.js';

let directory: ReturnType<typeof throwAwayDirectory>;
let options: TreeStoreOptions;
beforeEach(async () => {
  directory = throwAwayDirectory('data-file');
  options = storeOptions();
  await TreeStore.create(directory.path, options);
  const { store } = await TreeStore.open(directory.path, options, []);
  await store.advance([new ListChanges([[key, Buffer.from('value')]])], 1, {
    sliceMs: () => 5,
    beforeSwitch: async () => {},
  });
  await store.close();
});
afterEach(() => directory.remove());

const key = Buffer.from('key');
const dataPath = (): string => `${directory.path}/data`;
const openReader = async (): Promise<TreeStore> =>
  (await TreeStore.open(directory.path, { ...options, isReadOnly: true }, [])).store;

/** Writes over the page that the tree consists of, as its writer does once no state and no checkpoint holds it. */
const writeOver = (unit: number): void => {
  const fd = openSync(dataPath(), 'r+');
  writeSync(fd, Buffer.alloc(4096, 0xee), 0, 4096, unit * 4096);
  closeSync(fd);
};

it('tells a reader whose pages are written over that the store was written to, not that it is damaged', async () => {
  const longAgo = new Date('2020-01-01');
  utimesSync(dataPath(), longAgo, longAgo);
  const reader = await openReader();
  const root = reader.state.roots[0];
  if (root === undefined) throw new Error('no root');
  writeOver(root.unit);
  expect(() => reader.get(root, key)).toThrow(expect.objectContaining({ code: 'STORE_CHANGED' }));
  await reader.close();
});

it('tells a reader of a page that was damaged before it opened the store that it is damaged', async () => {
  const before = await openReader();
  const root = before.state.roots[0];
  if (root === undefined) throw new Error('no root');
  await before.close();
  writeOver(root.unit);
  const reader = await openReader();
  expect(() => reader.get(root, key)).toThrow(expect.objectContaining({ code: 'STORE_CORRUPT' }));
  await reader.close();
});
