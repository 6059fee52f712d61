import { statSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Engine } from '../../../src/engine/index.js';
import { TreeStore } from '../../../src/engine/tree/index.js';
import { maxLargeRuns } from '../../../src/engine/tree/large-value.js';
import { WriteBatchBuilder } from '../../../src/write-batch/index.js';
import { throwAwayDirectory } from '../../services/index.js';
import { SeededRandom } from '../../support/seeded-random.js';
import { ListChanges } from './list-changes.js';
import { storeOptions } from './store-options.js';

let directory: ReturnType<typeof throwAwayDirectory>;
beforeEach(() => {
  directory = throwAwayDirectory('nearly-full');
});
afterEach(() => directory.remove());

const unitBytes = 4096;
const limitBytes = 24 << 20;
const options = storeOptions({ maxDataBytes: limitBytes });

let sequence = 0;
const advance = (
  store: TreeStore,
  changes: readonly (readonly [string, Buffer | undefined])[],
): Promise<void> =>
  store.advance([new ListChanges(changes.map(([key, value]) => [Buffer.from(key), value]))], ++sequence, {
    sliceMs: () => 5,
    beforeSwitch: async () => {},
  });

/** What is free after all that was let go is reclaimed. */
const freeUnits = (store: TreeStore): number => {
  store.space.reclaim();
  return store.space.freeUnits;
};

/** How many free runs so many bytes would take, up to a number that leaves some of what is allowed for the pages. */
const runsFor = (store: TreeStore, byteLength: number): number | undefined => {
  const runs = store.space.allocateRuns(Math.ceil(byteLength / unitBytes), maxLargeRuns - 4);
  for (const { start, length } of runs ?? []) store.space.release(start, length);
  return runs?.length;
};

describe('a nearly full data file', () => {
  it('spreads values over several runs where none is long enough, and stays within its limit', async () => {
    const random = SeededRandom.fromEnvironment('nearly full');
    await TreeStore.create(directory.path, options);
    let { store } = await TreeStore.open(directory.path, options, []);
    const model = new Map<string, Buffer>();
    const newValue = (n: number): Buffer => Buffer.alloc(20_000 + random.below(120_000), `${n}`);
    const total = limitBytes / unitBytes;
    /** Left for the pages that each step writes anew. */
    const spare = 100;
    let spread = 0;
    let fullest = 0;
    for (let n = 0; n < 520; n++) {
      const value = newValue(n);
      const units = Math.ceil(value.length / unitBytes);
      // What is replaced is free only behind the next step.
      const gone: [string, undefined][] = [];
      let room = freeUnits(store) + total - store.space.units;
      for (const [key, old] of model) {
        if (room >= units + spare + random.below(40)) break;
        if (random.next() < 0.9) continue;
        gone.push([key, undefined]);
        room += Math.ceil(old.length / unitBytes);
      }
      if (gone.length > 0) {
        await advance(store, gone);
        for (const [key] of gone) model.delete(key);
      }
      if (freeUnits(store) + total - store.space.units < units + spare) continue;
      if (store.space.units === total) {
        const runs = runsFor(store, value.length);
        if (runs === undefined) continue; // too scattered: there is more to choose from when more is gone
        if (runs > 1) {
          spread++;
          fullest = Math.max(fullest, store.space.liveUnits / total);
        }
      }
      await advance(store, [
        [`key ${random.below(100_000)}`, undefined],
        [`n ${n}`, value],
      ]);
      model.set(`n ${n}`, value);
      if (n % 130 === 129) await store.audit();
    }
    expect(spread).toBeGreaterThan(10);
    expect(fullest).toBeGreaterThan(0.97);
    expect(statSync(store.file.path).size).toBeLessThanOrEqual(limitBytes);
    await store.close();
    ({ store } = await TreeStore.open(directory.path, options, []));
    await store.audit();
    const [root] = store.state.roots;
    if (root === undefined) throw new Error('no root');
    expect(root.entries).toBe(model.size);
    const cursor = store.cursor(root);
    for (const [key, value] of model) {
      expect(store.get(root, Buffer.from(key))?.equals(value)).toBe(true);
      cursor.seek(Buffer.from(key));
      expect(cursor.value().equals(value)).toBe(true);
    }
    await advance(
      store,
      [...model.keys()].map((key) => [key, undefined]),
    );
    await advance(store, [['last', Buffer.from('one')]]);
    await store.audit();
    expect(freeUnits(store)).toBeGreaterThan(store.space.units - 20);
    await store.close();
  });

  it('refuses what no longer fits, with the sizes, and takes it when it may grow', async () => {
    const limits = { sync: 'none', memtableBytes: 1 << 20, maxDataBytes: 8 << 20 } as const;
    const put = (n: number): Buffer =>
      new WriteBatchBuilder().put(0, Buffer.from(`key ${n}`), Buffer.alloc(50_000, `${n}`)).finish();
    const engine = await Engine.open(directory.path, limits);
    let written = 0;
    const fill = async (): Promise<void> => {
      for (; written < 400; written++) await engine.write(put(written));
    };
    await expect(fill()).rejects.toMatchObject({
      code: 'STORE_FAILED',
      remedy: expect.stringContaining('larger maxDataBytes'),
      cause: { code: 'SPACE_EXHAUSTED', context: { limitBytes: 8 << 20 } },
    });
    expect(written).toBeGreaterThan(100);
    expect(engine.get(0, Buffer.from('key 0'))?.length).toBe(50_000);
    await expect(engine.check()).rejects.toMatchObject({ code: 'STORE_FAILED' });
    await engine.close();
    expect(statSync(`${directory.path}/data`).size).toBeLessThanOrEqual(8 << 20);

    await using again = await Engine.open(directory.path, { ...limits, maxDataBytes: 64 << 20 });
    for (let n = 0; n < written; n++)
      expect(again.get(0, Buffer.from(`key ${n}`))?.equals(Buffer.alloc(50_000, `${n}`))).toBe(true);
    await again.flush();
    await again.check();
  });
});
