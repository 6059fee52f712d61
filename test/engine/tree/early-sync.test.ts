import { afterEach, beforeEach, expect, it } from 'vitest';
import { TreeStore } from '../../../src/engine/tree/index.js';
import { type Files, nodeFiles } from '../../../src/files/index.js';
import { throwAwayDirectory } from '../../services/index.js';
import { ListChanges } from './list-changes.js';
import { storeOptions } from './store-options.js';

let directory: ReturnType<typeof throwAwayDirectory>;
beforeEach(() => {
  directory = throwAwayDirectory('early-sync');
});
afterEach(() => directory.remove());

it('fails with the error of a sync in the middle of a merge, which the system tells only once', async () => {
  let refusals = 0;
  let isRefused = false;
  const files: Files = {
    ...nodeFiles,
    datasync: (fd) => {
      if (!isRefused || refusals > 0) return nodeFiles.datasync(fd);
      refusals++;
      return Promise.reject(new Error('EIO'));
    },
  };
  const options = storeOptions({ files });
  await TreeStore.create(directory.path, options);
  const { store } = await TreeStore.open(directory.path, options, []);
  isRefused = true;
  const value = Buffer.alloc(1 << 20, 'v');
  const entries = Array.from({ length: 80 }, (_, n): [Buffer, Buffer] => [Buffer.from(`key ${n}`), value]);
  let isSwitched = false;
  const advanced = store.advance([new ListChanges(entries)], 1, {
    sliceMs: () => 1,
    beforeSwitch: async () => {
      isSwitched = true;
    },
  });
  await expect(advanced).rejects.toThrow('EIO');
  expect(isSwitched).toBe(false);
  expect(refusals).toBe(1);
  expect(store.state.sequence).toBe(0);
  await store.close();
});
