import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { applyCheckpointExport, Engine } from '../../../src/engine/index.js';
import { SeededRandom } from '../../support/seeded-random.js';
import { VolatileDisk } from '../../support/volatile-disk.js';
import { contentOf, fill, type Model, put, small, sorted, useStoreDirectory } from './checkpoint-setup.js';

const directory = useStoreDirectory();
const { open, store } = directory;
/** CUTS=500 is the long setting. */
const cuts = Number(process.env['CUTS'] ?? 25);

/** A store with checkpoints that are written; their contents by sequence number. */
const makeCheckpoints = async (count: number, exportTo?: (n: number) => string) => {
  await using engine = await open();
  const model: Model = new Map();
  const contents = new Map<number, [string, string][]>();
  for (let n = 0; n < count; n++) {
    if (n % 2 === 1) put(engine, model, 'between', 'states'); // so that their numbers are odd and even in no order
    await engine.flush();
    fill(engine, model, n * 60, n * 60 + 150, `round ${n}`);
    put(engine, model, 'large', `${n}`.repeat(9_000));
    const { sequence } = await engine.checkpoints.create({ name: `${n}` });
    contents.set(sequence, sorted(model));
    await engine.flush();
    const options = n === 0 ? {} : { base: `${n - 1}` };
    if (exportTo !== undefined) await engine.checkpoints.export(`${n}`, exportTo(n), options);
  }
  return contents;
};

const expectWhole = async (
  path: string,
  contents: ReadonlyMap<number, [string, string][]>,
): Promise<number> => {
  await using copy = await Engine.open(path, { ...small, isReadOnly: true });
  expect(contentOf(copy)).toEqual(contents.get(copy.sequence));
  await copy.check();
  return copy.sequence;
};

/** How many operations something takes on a disk. */
const operationsOf = async (disk: VolatileDisk, work: () => Promise<unknown>): Promise<number> => {
  let operations = 0;
  disk.onOperation = () => {
    operations++;
  };
  await work();
  disk.onOperation = () => undefined;
  return operations;
};

/** Does something whose power is cut before one of its operations, of which the last few matter most; the disk after that. */
const cutShort = async (
  disk: VolatileDisk,
  operations: number,
  left: string,
  random: SeededRandom,
  work: () => Promise<unknown>,
): Promise<{ disk: VolatileDisk; isKilled: boolean }> => {
  let before = random.next() < 0.5 ? random.below(operations) : Math.max(0, operations - 1 - random.below(6));
  let killed: VolatileDisk | undefined;
  disk.onOperation = () => {
    if (before-- !== 0) return;
    if (random.next() < 0.2) killed = disk.afterKill(left);
    else disk.cut(left);
  };
  await work();
  disk.onOperation = () => undefined;
  return { disk: killed ?? new VolatileDisk(left, random), isKilled: killed !== undefined };
};

describe('a power cut or a kill', () => {
  it('leaves the state before or the one after where an export is applied', async () => {
    const random = SeededRandom.fromEnvironment('power cuts of applied exports');
    const fileOf = (n: number): string => join(directory.path, `${n}.export`);
    const contents = await makeCheckpoints(4, fileOf);
    const sequences = [...contents.keys()];
    const whole = join(directory.path, 'whole');
    const undisturbed = new VolatileDisk(whole, random);
    const operations: number[] = [];
    for (const [n, sequence] of sequences.entries()) {
      const apply = () => applyCheckpointExport(whole, fileOf(n), undisturbed.files);
      operations.push(await operationsOf(undisturbed, apply));
      expect(await expectWhole(whole, contents)).toBe(sequence);
    }
    let path = join(directory.path, 'first');
    let disk = new VolatileDisk(path, random);
    /** False from a kill on that came before the name of the store was durable, until somebody is told that it is there. */
    let isNamed = true;
    for (let cut = 0, n = 0; cut < cuts; cut++) {
      const apply = () => applyCheckpointExport(path, fileOf(n), disk.files);
      if (random.next() < 0.3) {
        await apply();
        isNamed = true;
        n++;
      }
      if (n === sequences.length) {
        n = 0;
        path = join(directory.path, `next-${cut}`);
        disk = new VolatileDisk(path, random);
      }
      const left = join(directory.path, `left-${cut}`);
      const after = await cutShort(disk, operations[n] ?? 0, left, random, apply);
      path = left;
      disk = after.disk;
      const isStore = existsSync(join(path, 'IDENTITY'));
      expect(isStore || n === 0 || !isNamed).toBe(true);
      if (isStore) {
        const found = sequences.indexOf(await expectWhole(path, contents));
        expect([n - 1, n]).toContain(found);
        n = (found + 1) % sequences.length;
      } else n = 0;
      isNamed = (isNamed && n > 1) || !after.isKilled;
      if (n > 0 || !isStore) continue;
      path = join(directory.path, `last-${cut}`);
      disk = new VolatileDisk(path, random);
    }
  });

  it('leaves no store or a whole one where a checkpoint is restored', async () => {
    const random = SeededRandom.fromEnvironment('power cuts of restored checkpoints');
    const contents = await makeCheckpoints(1);
    let operations = 0;
    for (let cut = -1; cut < cuts; cut++) {
      const target = join(directory.path, `target-${cut}`);
      const left = join(directory.path, `left-${cut}`);
      const disk = new VolatileDisk(target, random);
      await using engine = await Engine.open(store(), { ...small, isReadOnly: true, files: disk.files });
      const restore = () => engine.checkpoints.restore('0', target);
      if (cut < 0) operations = await operationsOf(disk, restore);
      else await cutShort(disk, operations, left, random, restore);
      if (existsSync(join(left, 'IDENTITY'))) await expectWhole(left, contents);
    }
  });
});
