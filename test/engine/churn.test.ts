import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type DataReader, Engine, type Snapshot } from '../../src/engine/index.js';
import { WriteBatchBuilder } from '../../src/write-batch/index.js';
import { throwAwayDirectory } from '../services/index.js';
import { SeededRandom } from '../support/seeded-random.js';
import { waitUntil } from '../support/wait-until.js';

let directory: ReturnType<typeof throwAwayDirectory>;
beforeEach(() => {
  directory = throwAwayDirectory('churn');
});
afterEach(() => directory.remove());

const keys = 2_000;
const keyOf = (n: number): Buffer => Buffer.from(`key:${String(n).padStart(5, '0')}`);
const initialValue = (n: number): Buffer => Buffer.alloc(n % 40 === 0 ? 9_000 : 60 + (n % 50), `${n}`);

/**
 * Makes the data what it is at the beginning and at the end. What is written anew goes to the front of the data file
 * where there is room, and its end is cut where it is free: so all is written a few times.
 */
const reset = async (engine: Engine): Promise<void> => {
  for (let round = 0; round < 6; round++) {
    const batch = new WriteBatchBuilder().deleteRange(0, keyOf(0), Buffer.from('l'));
    for (let n = 0; n < keys; n++) batch.put(0, keyOf(n), initialValue(n));
    await engine.write(batch.finish());
    await engine.flush();
    await waitUntil('what was held is free', () => engine.stats().retainedBytes === 0);
  }
};

/** One number for all that a reader sees. */
const digest = (reader: Pick<DataReader, 'iterate'>): number => {
  let sum = 0;
  for (const { key, value } of reader.iterate({ columnFamily: 0 }))
    sum = (sum * 31 + key.length + value.length + (value[0] ?? 0) * 7 + (key.at(-1) ?? 0)) % 1_000_003;
  return sum;
};

describe('churn', () => {
  it('of checkpoints, long snapshots and writes, for an hour of simulated time, ends with the free space that it began with', async () => {
    const random = SeededRandom.fromEnvironment('churn');
    const hours = Number(process.env['CHURN_HOURS'] ?? 1);
    let nowMs = Date.parse('2030-01-01T00:00:00.000Z');
    const engine = await Engine.open(directory.path, {
      sync: 'none',
      memtableBytes: 60_000,
      pageCacheBytes: 500_000,
      segmentBytes: 200_000,
      nowMs: () => nowMs,
    });
    await reset(engine);
    const before = engine.stats();

    const stepMs = 10_000;
    const steps = (hours * 3_600_000) / stepMs;
    const snapshots: { readonly snapshot: Snapshot; readonly digest: number; readonly untilMs: number }[] =
      [];
    let made = 0;
    let largest = 0;
    for (let step = 0; step < steps; step++) {
      nowMs += stepMs;
      for (let i = 0; i < 20; i++) {
        const key = keyOf(random.below(keys));
        const batch = new WriteBatchBuilder();
        const dice = random.next();
        if (dice < 0.2) batch.delete(0, key);
        else batch.put(0, key, random.bytes(dice < 0.25 ? random.below(20_000) : random.below(150)));
        engine.commit(batch.finish());
      }
      // One that is deleted soon, one that expires by itself, and snapshots that are held for many minutes.
      const { id } = await engine.checkpoints.create({ name: 'short' });
      made++;
      if (step % 6 === 0) {
        await engine.checkpoints.create({ name: 'minutes', lifetimeMs: 60_000 * (1 + random.below(10)) });
        made++;
      }
      if (step % 12 === 0) {
        const snapshot = engine.snapshot();
        const untilMs = nowMs + 60_000 * (1 + random.below(20));
        snapshots.push({ snapshot, digest: digest(snapshot), untilMs });
      }
      await engine.checkpoints.delete(id);
      await engine.checkpoints.reap();
      for (const held of snapshots.filter(({ untilMs }) => untilMs <= nowMs)) {
        expect(digest(held.snapshot)).toBe(held.digest);
        held.snapshot.close();
        snapshots.splice(snapshots.indexOf(held), 1);
      }
      largest = Math.max(largest, engine.stats().dataBytes);
    }
    for (const { snapshot } of snapshots) snapshot.close();
    nowMs += 3_600_000;
    await engine.checkpoints.reap();
    expect(engine.checkpoints.list()).toEqual([]);
    expect(made).toBeGreaterThan(steps);

    await reset(engine);
    await engine.check();
    const after = engine.stats();
    expect(after.liveBytes).toBe(before.liveBytes);
    // The end of the file is cut when the file is three times what is used, and some.
    expect(after.dataBytes).toBeLessThanOrEqual(3 * (after.liveBytes + (1 << 20)));
    expect(largest).toBeGreaterThan(after.dataBytes);
    await engine.close();
  });
});
