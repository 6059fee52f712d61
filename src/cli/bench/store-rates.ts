import { setImmediate as nextTurn } from 'node:timers/promises';
import { Database } from '../../data-model/commands/index.js';
import type { Engine } from '../../engine/index.js';
import type { ShopWorkload } from '../shop-workload.js';
import { type Measurement, measure } from './measurement.js';

/** Each write waits for the disk before the next: what a single client sees. */
export const measureSingleWrites = (
  engine: Engine,
  workload: ShopWorkload,
  signal: AbortSignal,
): Promise<Measurement> =>
  measure('one write at a time, each synced', 'writes', async () => {
    const times: number[] = [];
    const endsAt = performance.now() + singleMs;
    while (performance.now() < endsAt && !signal.aborted) {
      const startedAt = performance.now();
      if (workload.writeOne() === 0) continue;
      await engine.whenDurable(engine.sequence);
      times.push(performance.now() - startedAt);
    }
    times.sort((a, b) => a - b);
    const at = (share: number): string => (times[Math.floor(share * (times.length - 1))] ?? 0).toFixed(2);
    return { count: times.length, detail: `${at(0.5)} ms half of them, ${at(0.99)} ms 99 %` };
  });

/** Many writes share each sync: what many clients see together. */
export const measureGroupedWrites = (
  engine: Engine,
  workload: ShopWorkload,
  changes: number,
  signal: AbortSignal,
): Promise<Measurement> =>
  measure(`writes, ${groupSize} in a sync`, 'changes', async () => {
    let count = 0;
    while (count < changes && !signal.aborted) {
      for (let i = 0; i < groupSize && count < changes; i++) count += workload.writeOne();
      await engine.whenDurable(engine.sequence);
      await nextTurn();
    }
    return { count };
  });

/** Values of keys at random, those that are not there among them. */
export const measureReads = async (engine: Engine, signal: AbortSignal): Promise<Measurement> => {
  const snapshot = engine.snapshot();
  try {
    const database = new Database(snapshot);
    return await measure('reads of one key', 'reads', async () => {
      let count = 0;
      const endsAt = performance.now() + readMs;
      while (performance.now() < endsAt && !signal.aborted)
        for (let i = 0; i < 1_000; i++, count++)
          await database.call('GET', `page:${(count * 7_919) % 5_000}`);
      return { count };
    });
  } finally {
    snapshot.close();
  }
};

const singleMs = 2_000;
const readMs = 1_000;
const groupSize = 500;
