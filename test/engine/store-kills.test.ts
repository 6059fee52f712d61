import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { applyCheckpointExport, Engine } from '../../src/engine/index.js';
import { WriteBatchBuilder } from '../../src/write-batch/index.js';
import { throwAwayDirectory } from '../services/index.js';
import { SeededRandom } from '../support/seeded-random.js';
import { runAndKill } from './killed-program.js';
import { expectNumbersUpTo } from './numbered-writes.js';

let directory: ReturnType<typeof throwAwayDirectory>;
beforeEach(() => {
  directory = throwAwayDirectory('store-kills');
  mkdirSync(directory.path, { recursive: true });
});
afterEach(() => directory.remove());

const small = { memtableBytes: 60_000, pageCacheBytes: 300_000, segmentBytes: 100_000 } as const;

/** The last whole `n;` line of an output; 0 when there is none. */
const lastNumber = (output: string): number => Number([...output.matchAll(/^(\d+);$/gm)].at(-1)?.[1] ?? 0);

describe('a store whose process is killed at any moment', () => {
  it('keeps every acknowledged write, and a prefix of all, without any flush', async () => {
    const random = SeededRandom.fromEnvironment('engine kills');
    let known = 0;
    for (let round = 0; round < 8; round++) {
      const enough = known + 130 + random.below(500);
      const isEnough = (written: string): boolean => lastNumber(written) > enough;
      const output = await runAndKill('kill-writer', [directory.path], random, isEnough);
      await using engine = await Engine.open(directory.path);
      expect(engine.sequence).toBeGreaterThanOrEqual(lastNumber(output));
      expectNumbersUpTo(engine, engine.sequence);
      known = engine.sequence;
    }
    expect(known).toBeGreaterThan(1_000);
  });

  it('loses nothing that was acknowledged, and no checkpoint, under flushes all the time', async () => {
    const random = SeededRandom.fromEnvironment('store kills');
    const acknowledged = { sequence: 0, checkpoints: new Set<number>() };
    for (let round = 0; round < Number(process.env['KILLS'] ?? 6); round++) {
      const where = round % 2 === 0 ? 'thread' : 'here';
      const sync = round % 3 === 0 ? 'none' : 'always';
      const lines = 5 + random.below(45);
      const isEnough = (written: string): boolean => written.split('\n').length > lines;
      const output = await runAndKill('kill-store-writer', [directory.path, where, sync], random, isEnough);
      for (const [, sign, number] of output.matchAll(/^([+-]?)(\d+);$/gm)) {
        if (sign === '+') acknowledged.checkpoints.add(Number(number));
        else if (sign === '-') acknowledged.checkpoints.delete(Number(number));
        else acknowledged.sequence = Number(number);
      }
      await using engine = await Engine.open(directory.path, small);
      expect(engine.sequence).toBeGreaterThanOrEqual(acknowledged.sequence);
      expectNumbersUpTo(engine, engine.sequence);
      const found = engine.checkpoints.list();
      for (const { sequence, id } of found) {
        const reader = engine.checkpoints.open(id);
        expectNumbersUpTo(reader, sequence);
        reader.close();
      }
      for (const sequence of acknowledged.checkpoints)
        expect(found.map((checkpoint) => checkpoint.sequence)).toContain(sequence);
      await engine.check();
    }
    expect(acknowledged.sequence).toBeGreaterThan(500);
  });

  it('is copied whole or not at all when the process that restores it, or applies an export of it, is killed', async () => {
    const random = SeededRandom.fromEnvironment('killed copies');
    const store = join(directory.path, 'store');
    const engine = await Engine.open(store, { ...small, sync: 'none' });
    const large = (n: number): Buffer =>
      new WriteBatchBuilder()
        .put(0, Buffer.from(`k${n % 1_000}`), Buffer.from(`${n}`.padEnd(8_000)))
        .finish();
    for (let n = 1; n <= 900; n++) engine.commit(large(n));
    await engine.checkpoints.create({ name: 'kept' });
    const whole = join(directory.path, 'whole');
    await engine.checkpoints.export('kept', whole);
    for (let n = 901; n <= 1_000; n++) engine.commit(large(n));
    await engine.checkpoints.create({ name: 'next' });
    const increment = join(directory.path, 'increment');
    await engine.checkpoints.export('next', increment, { base: 'kept' });
    await engine.close();

    const killed = (what: string, from: string, to: string): Promise<string> =>
      runAndKill('kill-copy', [what, from, to], random, (written) => written !== '', 60);
    /** The sequence number that a copy is at, 0 when it is none. */
    const copiedTo = async (path: string): Promise<number> => {
      if (!existsSync(join(path, 'IDENTITY'))) {
        await expect(Engine.open(path, small)).rejects.toMatchObject({ code: 'STORE_CORRUPT' });
        return 0;
      }
      await using copy = await Engine.open(path, { isReadOnly: true });
      expectNumbersUpTo(copy, copy.sequence);
      await copy.check();
      return copy.sequence;
    };
    for (let round = 0; round < Number(process.env['KILLS'] ?? 2); round++) {
      const restored = join(directory.path, `restored-${round}`);
      mkdirSync(restored);
      await killed('restore', store, restored);
      if (readdirSync(restored).length > 0) expect([0, 900]).toContain(await copiedTo(restored));
      const applied = join(directory.path, `applied-${round}`);
      mkdirSync(applied);
      for (const [file, sequence, before] of [
        [whole, 900, 0],
        [increment, 1_000, 900],
      ] as const) {
        await killed('apply', file, applied);
        const reached = readdirSync(applied).some((name) => name !== 'LOCK') ? await copiedTo(applied) : 0;
        expect([before, sequence]).toContain(reached);
        if (reached === before) await applyCheckpointExport(applied, file);
        expect(await copiedTo(applied)).toBe(sequence);
      }
    }
    await using again = await Engine.open(store, small);
    expectNumbersUpTo(again, 1_000);
    await again.check();
  });
});
