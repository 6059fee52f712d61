import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Checkpoint, type DataReader, Engine, type EngineOptions } from '../../src/engine/index.js';
import { WriteBatchBuilder } from '../../src/write-batch/index.js';
import { throwAwayDirectory } from '../services/index.js';
import { SeededRandom } from '../support/seeded-random.js';
import { VolatileDisk } from '../support/volatile-disk.js';

let directory: ReturnType<typeof throwAwayDirectory>;
beforeEach(() => {
  directory = throwAwayDirectory('power-cut');
});
afterEach(() => directory.remove());

const keys = 300;
/** Everything happens often: segments, flushes, and the removal of segments. */
const options: EngineOptions = {
  memtableBytes: 60_000,
  pageCacheBytes: 300_000,
  segmentBytes: 20_000,
  retention: { keepMs: 0, keepBytes: 30_000 },
};

/** What users were told is safe. */
interface Promised {
  sequence: number;
  /** Sequence numbers of checkpoints, by id. */
  readonly checkpoints: Map<string, number>;
  /** Names under which there is a checkpoint, whichever. */
  readonly names: Set<string>;
  hasSlot: boolean;
}

/** Write n puts n under key n mod `keys`: the newest numbers, as many as there are keys, are all there is. */
const batchFor = (engine: Engine, random: SeededRandom): Buffer => {
  const n = engine.sequence + 1;
  const value = Buffer.from(`${n}`.padEnd(random.below(random.next() < 0.05 ? 9_000 : 900)));
  return new WriteBatchBuilder().put(0, Buffer.from(`k${n % keys}`), value).finish();
};

const expectNumbersUpTo = (reader: DataReader, last: number): void => {
  const found = [...reader.iterate({ columnFamily: 0 })].map(({ value }) => Number.parseInt(`${value}`, 10));
  const count = Math.min(keys, last);
  expect(found.sort((a, b) => a - b)).toEqual(Array.from({ length: count }, (_, i) => last - count + 1 + i));
};

const expectPromised = async (engine: Engine, promised: Promised): Promise<void> => {
  expect(engine.sequence).toBeGreaterThanOrEqual(promised.sequence);
  expectNumbersUpTo(engine, engine.sequence);
  const found = engine.checkpoints.list();
  for (const { id, sequence } of found) {
    const reader = engine.checkpoints.open(id);
    expectNumbersUpTo(reader, sequence);
    reader.close();
  }
  expect(found.map(({ id, sequence }) => [id, sequence])).toEqual(
    expect.arrayContaining([...promised.checkpoints]),
  );
  expect(found.map(({ name }) => name)).toEqual(expect.arrayContaining([...promised.names]));
  if (promised.hasSlot) expect(engine.slots.get('consumer')).toBeDefined();
  expect(engine.retention?.lostSlots).toEqual([]);
  await engine.check();
};

/** Writes until the power is cut; now and then it does not wait until that is safe. */
const write = async (
  engine: Engine,
  promised: Promised,
  random: SeededRandom,
  isCut: IsCut,
): Promise<void> => {
  while (!isCut()) {
    for (let i = random.below(20); i > 0; i--) engine.commit(batchFor(engine, random));
    if (random.next() < 0.3)
      engine.commit(new WriteBatchBuilder().logData(Buffer.from('counts nothing')).finish());
    const durable = engine.write(batchFor(engine, random), { sync: 'always' }).then(({ last }) => {
      promised.sequence = Math.max(promised.sequence, last);
    });
    if (random.next() < 0.7) await durable;
  }
};

/** Makes, replaces, refreshes and deletes checkpoints, flushes and trims the log beside that. */
const manage = async (
  engine: Engine,
  promised: Promised,
  random: SeededRandom,
  isCut: IsCut,
): Promise<void> => {
  const { checkpoints, slots } = engine;
  /** While one makes way for another the power may leave either. */
  const replace = async (name: string, make: () => Promise<Checkpoint>): Promise<void> => {
    for (const { id } of checkpoints.list({ name })) promised.checkpoints.delete(id);
    const { id, sequence } = await make();
    promised.checkpoints.set(id, sequence);
    promised.names.add(name);
  };
  while (!isCut()) {
    const chance = random.next();
    const name = `${random.below(3)}`;
    if (chance < 0.25) await replace(name, () => checkpoints.create({ name, ifNameExists: 'replace' }));
    else if (chance < 0.4 && promised.names.has(name))
      await replace(name, () => checkpoints.refresh(`name:${name}`, { isAdvanced: true }));
    else if (chance < 0.6) {
      const { id } = await checkpoints.create();
      await new Promise((resolve) => setTimeout(resolve, random.below(5)));
      await checkpoints.delete(id);
    } else if (chance < 0.8) {
      await slots.register('consumer', 0);
      promised.hasSlot = true;
      slots.acknowledge('consumer', promised.sequence);
      await engine.trimLog();
    } else await engine.flush();
  }
};

type IsCut = () => boolean;

describe('a store whose power is cut at any of its operations, or whose process is killed before that', () => {
  it.each(['always', 'none'] as const)(
    'has everything that it said was safe, and nothing in part, in sync mode %s',
    async (sync) => {
      const random = SeededRandom.fromEnvironment(`power cuts, ${sync}`);
      let promised: Promised = { sequence: 0, checkpoints: new Map(), names: new Set(), hasSlot: false };
      let disk = new VolatileDisk(join(directory.path, '0'), random);
      for (let round = 0; round < Number(process.env['CUTS'] ?? 24); round++) {
        const path = join(directory.path, `${round}`);
        const next = join(directory.path, `${round + 1}`);
        let left = random.below(round % 4 === 0 ? 20 : 600);
        let atCut: Promised | undefined;
        let nextDisk = disk;
        disk.onOperation = () => {
          if (left-- !== 0) return;
          if (round % 3 === 2) nextDisk = disk.afterKill(next);
          else disk.cut(next);
          atCut = {
            ...promised,
            checkpoints: new Map(promised.checkpoints),
            names: new Set(promised.names),
          };
        };
        const engine = await Engine.open(path, { ...options, sync, files: disk.files });
        await expectPromised(engine, promised);
        // What is read after a start is never lost by the next cut.
        promised.sequence = engine.sequence;
        const isCut = (): boolean => atCut !== undefined;
        await Promise.all([write(engine, promised, random, isCut), manage(engine, promised, random, isCut)]);
        await engine.close();
        promised = atCut ?? promised;
        disk = nextDisk === disk ? new VolatileDisk(next, random) : nextDisk;
      }
      expect(promised.sequence).toBeGreaterThan(500);
    },
  );
});
