import {
  closeSync,
  copyFileSync,
  mkdirSync,
  openSync,
  readFileSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { TreeStore, type TreeStoreOptions } from '../../../src/engine/tree/index.js';
import { throwAwayDirectory } from '../../services/index.js';
import { SeededRandom } from '../../support/seeded-random.js';
import { VolatileDisk } from '../../support/volatile-disk.js';
import { ListChanges } from './list-changes.js';
import { storeOptions } from './store-options.js';

let directory: ReturnType<typeof throwAwayDirectory>;
let options: TreeStoreOptions;
beforeEach(async () => {
  directory = throwAwayDirectory('data-file');
  options = storeOptions();
  await TreeStore.create(directory.path, options);
  await advanceClosed(1, 'value');
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

/** Goes to the state behind, in which the key has another value. */
const advance = (store: TreeStore, sequence: number, value: string): Promise<void> =>
  store.advance([new ListChanges([[key, Buffer.from(value)]])], sequence, {
    sliceMs: () => 5,
    beforeSwitch: async () => {},
  });

/** The same of the store that is not open; returns the unit of the tree's page. */
const advanceClosed = async (sequence: number, value: string): Promise<number> => {
  const store = await openWriter();
  await advance(store, sequence, value);
  const [{ unit }] = store.state.roots;
  await store.close();
  return unit;
};

const openWriter = async (): Promise<TreeStore> => (await TreeStore.open(directory.path, options, [])).store;

/** The value that a store of these bytes has, and the sequence number it is at. */
const found = async (bytes: Buffer): Promise<unknown> => {
  writeFileSync(dataPath(), bytes);
  const store = await openReader();
  const { sequence, roots } = store.state;
  const value = `${store.get(roots[0], key)}`;
  await store.close();
  return [sequence, value];
};

it('is at the state before, whole, wherever the newest superblock was torn', async () => {
  const before = readFileSync(dataPath());
  await advanceClosed(2, 'newer');
  const after = readFileSync(dataPath());
  const at = (3 & 1) * 4096;
  for (let cut = 0; cut <= 4096; cut += cut < 512 ? 3 : 512) {
    const torn = Buffer.from(after);
    before.copy(torn, at + cut, at + cut, at + 4096);
    expect(await found(torn)).toEqual(cut < 512 ? [1, 'value'] : [2, 'newer']);
  }
  after.fill(0xff, 0, 2 * 4096);
  await expect(found(after)).rejects.toMatchObject({ code: 'STORE_CORRUPT' });
});

it('is at the newest state whichever byte of its superblock is damaged, and where older versions stored it once', async () => {
  await advanceClosed(2, 'newer');
  const whole = readFileSync(dataPath());
  const at = (3 & 1) * 4096;
  for (let byte = 0; byte < 4096; byte += byte % 2048 < 512 ? 5 : 256) {
    const damaged = Buffer.from(whole);
    damaged[at + byte] ^= 1 << (byte & 7);
    expect(await found(damaged)).toEqual([2, 'newer']);
  }
  for (const unit of [0, 4096]) whole.fill(0, unit + 512, unit + 4096);
  expect(await found(whole)).toEqual([2, 'newer']);
});

it('refuses a file that is shorter than its newest state', async () => {
  await advanceClosed(2, 'newer');
  truncateSync(dataPath(), statSync(dataPath()).size - 1);
  await expect(openWriter()).rejects.toMatchObject({
    code: 'STORE_CORRUPT',
    message: expect.stringContaining('cut or copied in part'),
  });
});

it.each(['of another unit', 'of a later state'])(
  'takes no page %s for the one that it wants',
  async (which) => {
    const before = await openReader();
    const old = before.state.roots[0].unit;
    await before.close();
    const unit = await advanceClosed(2, 'newer');
    expect(unit).not.toBe(old);
    const bytes = readFileSync(dataPath());
    const page = bytes.subarray(unit * 4096, (unit + 1) * 4096);
    if (which === 'of another unit') bytes.copy(page, 0, old * 4096, (old + 1) * 4096);
    else {
      page.writeUInt32LE(9, 4); // the state that it was written for
      page.writeUInt32LE(crc32(page.subarray(4)), 0);
    }
    writeFileSync(dataPath(), bytes);
    const store = await openWriter();
    expect(() => store.get(store.state.roots[0], key)).toThrow(
      expect.objectContaining({ code: 'STORE_CORRUPT' }),
    );
    await store.close();
  },
);

it('never goes back behind a state that was found after a kill, when the power is cut after that', async () => {
  const random = SeededRandom.fromEnvironment('a cut after a kill');
  const open = async (path: string, files = options.files): Promise<TreeStore> =>
    (await TreeStore.open(path, { ...options, files }, [])).store;
  for (let operations = 0; ; operations++) {
    const path = join(directory.path, `${operations}`);
    mkdirSync(path);
    copyFileSync(dataPath(), join(path, 'data'));
    const disk = new VolatileDisk(path, random);
    let killed: VolatileDisk | undefined;
    let left = operations;
    disk.onOperation = () => {
      if (left-- === 0) killed = disk.afterKill(`${path}-killed`);
    };
    const writer = await open(path, disk.files);
    await advance(writer, 2, 'newer');
    await writer.close();
    if (killed === undefined) break;
    const found = await open(`${path}-killed`, killed.files);
    const { sequence } = found.state;
    await found.close();
    for (let cut = 0; cut < 5; cut++) {
      killed.cut(`${path}-cut-${cut}`);
      const again = await open(`${path}-cut-${cut}`);
      expect(again.state.sequence).toBeGreaterThanOrEqual(sequence);
      await again.close();
    }
  }
});
