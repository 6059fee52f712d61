import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { applyCheckpointExport, type DataReader, Engine } from '../../src/engine/index.js';
import { isTailraceError } from '../../src/errors/index.js';
import { type Files, nodeFiles } from '../../src/files/index.js';
import { WriteBatchBuilder } from '../../src/write-batch/index.js';
import { throwAwayDirectory } from '../services/index.js';
import { SeededRandom } from '../support/seeded-random.js';

let directory: ReturnType<typeof throwAwayDirectory>;
beforeEach(() => {
  directory = throwAwayDirectory('refused');
});
afterEach(() => directory.remove());

const options = {
  memtableBytes: 20_000,
  pageCacheBytes: 300_000,
  segmentBytes: 8_000,
  retention: { keepMs: -60_000, keepBytes: 0 },
} as const;

/** Files of which one operation is refused, or all from that one on. A refused write has done half of its work. */
class RefusingFiles {
  /** How many operations there were. */
  count = 0;
  readonly open = new Set<number>();
  readonly #failAt: number;
  readonly #isForGood: boolean;

  constructor(failAt: number, isForGood: boolean) {
    this.#failAt = failAt;
    this.#isForGood = isForGood;
  }

  readonly files: Files = {
    open: async (path, flags) => {
      this.#refuse();
      const fd = await nodeFiles.open(path, flags);
      // The store closes its data file itself.
      if (!path.endsWith('/data') || flags !== 'r+') this.open.add(fd);
      return fd;
    },
    write: (fd, bytes, position) => this.#write('write', fd, bytes, position),
    writeFew: (fd, bytes, position) => this.#write('writeFew', fd, bytes, position),
    datasync: async (fd) => {
      this.#refuse();
      await nodeFiles.datasync(fd);
    },
    truncate: async (fd, length) => {
      this.#refuse();
      await nodeFiles.truncate(fd, length);
    },
    close: async (fd) => {
      this.open.delete(fd);
      await nodeFiles.close(fd);
      this.#refuse(); // it is closed even so
    },
    syncDirectory: async (path) => {
      this.#refuse();
      await nodeFiles.syncDirectory(path);
    },
    rename: async (from, to) => {
      this.#refuse();
      await nodeFiles.rename(from, to);
    },
    remove: async (path) => {
      this.#refuse();
      await nodeFiles.remove(path);
    },
  };

  async #write(how: 'write' | 'writeFew', fd: number, bytes: Uint8Array, position: number): Promise<void> {
    try {
      this.#refuse();
    } catch (error) {
      await nodeFiles[how](fd, bytes.subarray(0, bytes.length >> 1), position);
      throw error;
    }
    await nodeFiles[how](fd, bytes, position);
  }

  #refuse(): void {
    const at = this.count++;
    if (this.#isForGood ? at >= this.#failAt : at === this.#failAt)
      throw Object.assign(new Error('EIO: i/o error'), { code: 'EIO' });
  }
}

const keys = 150;

/** Write n sets key n mod `keys` to n: the newest numbers are all there is. */
const expectNumbersUpTo = (reader: DataReader, last: number): void => {
  const found = [...reader.iterate({ columnFamily: 0 })].map(({ value }) => Number.parseInt(`${value}`, 10));
  const count = Math.min(keys, last);
  expect(found.sort((a, b) => a - b)).toEqual(Array.from({ length: count }, (_, i) => last - count + 1 + i));
};

/** What users were told is safe: the last sequence number, and checkpoints by name. */
interface Promised {
  sequence: number;
  readonly checkpoints: Map<string, number>;
}

/** All that a store does to files, a step at a time, each tried whatever became of those before. */
const use = async (
  path: string,
  files: Files,
  sync: 'always' | 'none',
  promised: Promised,
): Promise<unknown[]> => {
  const errors: unknown[] = [];
  const attempt = async (step: () => Promise<unknown>): Promise<void> => {
    await step().catch((error: unknown) => errors.push(error));
  };
  let engine: Engine;
  try {
    engine = await Engine.open(path, { ...options, sync, files });
  } catch (error) {
    return [error];
  }
  const { checkpoints } = engine;
  const write = async (count: number): Promise<void> => {
    for (let i = 0; i < count; i++)
      await attempt(async () => {
        const n = engine.sequence + 1;
        const batch = new WriteBatchBuilder().put(
          0,
          Buffer.from(`k${n % keys}`),
          Buffer.from(`${n}`.padEnd(200)),
        );
        await engine.write(batch.finish(), { sync: 'always' });
        promised.sequence = n;
      });
  };
  /** A checkpoint that makes way for another may be there or not until that is. */
  const make = (name: string, step: () => Promise<{ sequence: number }>): Promise<void> =>
    attempt(async () => {
      promised.checkpoints.delete(name);
      promised.checkpoints.set(name, (await step()).sequence);
    });
  await write(50);
  await attempt(() => engine.flush());
  await make('a', () => checkpoints.create({ name: 'a' }));
  await write(50);
  await attempt(() => engine.slots.register('consumer', 0));
  await make('a', () => checkpoints.create({ name: 'a', ifNameExists: 'replace' }));
  await make('b', () => checkpoints.create({ name: 'b' }));
  await write(50);
  await make('b', () => checkpoints.refresh('b', { isAdvanced: true }));
  await attempt(() => checkpoints.export('a', `${path}.a`));
  await attempt(() => checkpoints.export('b', `${path}.b`, { base: 'a' }));
  await attempt(() => checkpoints.restore('a', `${path}-restored`));
  await attempt(() => applyCheckpointExport(`${path}-applied`, `${path}.a`, files));
  await attempt(() => applyCheckpointExport(`${path}-applied`, `${path}.b`, files));
  promised.checkpoints.delete('a');
  await attempt(() => checkpoints.delete('a'));
  await attempt(async () => engine.slots.acknowledge('consumer', promised.sequence));
  await attempt(() => engine.flush());
  await attempt(() => engine.trimLog());
  await write(5);
  expectNumbersUpTo(engine, engine.sequence);
  await attempt(() => engine.close());
  return errors;
};

describe('a store of which any operation on a file is refused', () => {
  it.each(['always', 'none'] as const)(
    'says what and what to do, lets go of all files, and has what it promised when it is opened again, in sync mode %s',
    async (sync) => {
      const random = SeededRandom.fromEnvironment(`refused operations, ${sync}`);
      const promised = (): Promised => ({ sequence: 0, checkpoints: new Map() });
      const whole = new RefusingFiles(Number.POSITIVE_INFINITY, false);
      expect(await use(join(directory.path, 'whole'), whole.files, sync, promised())).toEqual([]);
      for (let round = 0; round < Number(process.env['FAULTS'] ?? 12); round++) {
        const failAt = random.below(whole.count);
        const path = join(directory.path, `${round}`);
        const refusing = new RefusingFiles(failAt, round % 2 === 0);
        const kept = promised();
        const what = `operation ${failAt}`;
        for (const error of await use(path, refusing.files, sync, kept)) {
          if (!isTailraceError(error)) throw error;
          expect(error.remedy, what).toBeTruthy();
        }
        expect(refusing.open, what).toEqual(new Set());
        await using again = await Engine.open(path, options);
        expect(again.sequence, what).toBeGreaterThanOrEqual(kept.sequence);
        expectNumbersUpTo(again, again.sequence);
        const found = again.checkpoints.list();
        for (const { id, sequence } of found) expectNumbersUpTo(again.checkpoints.open(id), sequence);
        expect(found.map(({ name, sequence }) => [name, sequence])).toEqual(
          expect.arrayContaining([...kept.checkpoints]),
        );
        await again.flush();
        await again.check();
      }
    },
  );
});
