import { closeSync, openSync, readFileSync, writeSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { TreeStore } from '../../../src/engine/tree/index.js';
import { nodeFiles } from '../../../src/files/index.js';
import { throwAwayDirectory } from '../../services/index.js';
import { SeededRandom } from '../../support/seeded-random.js';
import { compiled } from './compiled.js';
import { ListChanges } from './list-changes.js';
import { storeOptions } from './store-options.js';

let directory: ReturnType<typeof throwAwayDirectory>;
beforeEach(() => {
  directory = throwAwayDirectory('damaged-leaf');
});
afterEach(() => directory.remove());

const keys = 600;
const keyOf = (n: number): Buffer => Buffer.from(`key:${String(n).padStart(4, '0')}`);
const dataPath = (): string => `${directory.path}/data`;

/** The pages of level 0, all of which are in use in a store that was written to once. */
const leaves = (): number[] => {
  const bytes = readFileSync(dataPath());
  const units = Array.from({ length: bytes.length / 4096 }, (_, unit) => unit);
  return units.filter((unit) => bytes[unit * 4096 + 12] === 0xb7 && bytes[unit * 4096 + 13] === 0);
};

const flipBit = (place: number, bit: number): void => {
  const byte = (readFileSync(dataPath())[place] ?? 0) ^ (1 << bit);
  const fd = openSync(dataPath(), 'r+');
  writeSync(fd, Uint8Array.of(byte), 0, 1, place);
  closeSync(fd);
};

describe.each(['of this thread', 'in a thread of its own'])('a merge %s', (kind) => {
  it('does not make a leaf sound that was damaged, whatever it changes in it', async () => {
    const isInThread = kind !== 'of this thread';
    const where = isInThread ? await compiled() : { stores: TreeStore, files: nodeFiles };
    const random = SeededRandom.fromEnvironment(`damaged leaf, ${kind}`);
    const options = storeOptions({ files: where.files });
    const found = { byMerge: 0, later: 0 };
    for (let round = 0; round < (isInThread ? 20 : 120); round++) {
      directory.remove();
      directory = throwAwayDirectory('damaged-leaf');
      await where.stores.create(directory.path, options);
      let { store } = await where.stores.open(directory.path, options, []);
      let sequence = 0;
      const advance = (numbers: readonly number[], length: number): Promise<void> =>
        store.advance([new ListChanges(numbers.map((n) => [keyOf(n), random.bytes(length)]))], ++sequence, {
          isInThread,
          sliceMs: () => 5,
          beforeSwitch: async () => {},
        });
      await advance(
        Array.from({ length: keys }, (_, n) => n),
        50,
      );
      await store.close(); // its cache has the leaves as they were
      const units = leaves();
      const unit = units[random.below(units.length)] ?? 0;
      const within = random.next() < 0.3 ? random.below(20 + 100) : random.below(4096);
      flipBit(unit * 4096 + within, random.below(8));
      ({ store } = await where.stores.open(directory.path, options, []));
      const corrupt = expect.objectContaining({ code: 'STORE_CORRUPT' });
      const merges = async (): Promise<void> => {
        for (let merge = 0; merge < 3; merge++) {
          const length = random.next() < 0.2 ? 49 : 50;
          await advance(
            Array.from({ length: keys }, (_, n) => n).filter(() => random.next() < 0.06),
            length,
          );
        }
      };
      const error: unknown = await merges().catch((cause: unknown) => cause);
      const place = `round ${round}, byte ${within} of unit ${unit}`;
      if (error === undefined) {
        await expect(store.audit(), place).rejects.toThrow(corrupt);
        found.later++;
      } else {
        expect(error, place).toEqual(corrupt);
        found.byMerge++;
      }
      await store.close();
    }
    expect(found.later, 'leaves that were patched in spite of the damage').toBeGreaterThan(0);
    expect(found.byMerge, 'leaves that were checked').toBeGreaterThan(0);
  });
});
