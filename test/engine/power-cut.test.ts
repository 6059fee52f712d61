import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type DataReader, Engine, type EngineOptions } from '../../src/engine/index.js';
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
  if (promised.hasSlot) expect(engine.slots.get('consumer')).toBeDefined();
  expect(engine.retention?.lostSlots).toEqual([]);
  await engine.check();
};

/** Writes, makes and replaces checkpoints, flushes, and trims the log, until the power is cut. */
const work = async (
  engine: Engine,
  promised: Promised,
  random: SeededRandom,
  isCut: () => boolean,
): Promise<void> => {
  while (!isCut()) {
    for (let i = random.below(20); i > 0; i--) engine.commit(batchFor(engine, random));
    const durable = engine.write(batchFor(engine, random), { sync: 'always' }).then(({ last }) => {
      promised.sequence = Math.max(promised.sequence, last);
    });
    const chance = random.next();
    if (chance < 0.1) {
      const name = `${random.below(3)}`;
      // Until the new one is promised the power may leave either.
      for (const { id } of engine.checkpoints.list({ name })) promised.checkpoints.delete(id);
      const { id, sequence } = await engine.checkpoints.create({ name, ifNameExists: 'replace' });
      promised.checkpoints.set(id, sequence);
    } else if (chance < 0.3) {
      await engine.slots.register('consumer', 0);
      promised.hasSlot = true;
      engine.slots.acknowledge('consumer', promised.sequence);
      await engine.trimLog();
    } else if (chance < 0.35) await engine.flush();
    if (random.next() < 0.7) await durable;
  }
};

describe('a store whose power is cut at any of its operations, or whose process is killed before that', () => {
  it.each(['always', 'none'] as const)(
    'has everything that it said was safe, and nothing in part, in sync mode %s',
    async (sync) => {
      const random = SeededRandom.fromEnvironment(`power cuts, ${sync}`);
      let promised: Promised = { sequence: 0, checkpoints: new Map(), hasSlot: false };
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
          atCut = { ...promised, checkpoints: new Map(promised.checkpoints) };
        };
        const engine = await Engine.open(path, { ...options, sync, files: disk.files });
        await expectPromised(engine, promised);
        // What is read after a start is never lost by the next cut.
        promised.sequence = engine.sequence;
        await work(engine, promised, random, () => atCut !== undefined);
        await engine.close();
        promised = atCut ?? promised;
        disk = nextDisk === disk ? new VolatileDisk(next, random) : nextDisk;
      }
      expect(promised.sequence).toBeGreaterThan(500);
    },
  );
});
