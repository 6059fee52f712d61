import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Engine } from '../src/engine/index.js';
import { WriteBatchBuilder } from '../src/write-batch/index.js';
import { atMost, type Bench, type BenchResult, seconds } from './harness.js';
import {
  batchPuts,
  coldRate,
  EngineContender,
  keyOf,
  limitBytes,
  limits,
  scanRate,
  value,
} from './store/contender.js';
import { peakResidentBytes } from './store/process-figures.js';

const mebibyte = 2 ** 20;
/** The log is no memory: what is behind the last flush is enough. */
const settings = { ...limits, sync: 'none', retention: { keepMs: 0 } } as const;

/** Fills in the order of the keys: scattered, so many would take hours, and the memory is the same. */
const fill = async (engine: Engine, count: number): Promise<void> => {
  const batch = new WriteBatchBuilder(16 * 1024);
  for (let from = 0; from < count; from += batchPuts) {
    batch.clear();
    for (let at = from; at < Math.min(count, from + batchPuts); at++) batch.put(0, keyOf(at), value);
    await engine.write(batch.finish());
  }
};

/** The peak so far of this process, which began with an empty store. */
const peak = (name: string): BenchResult =>
  atMost(`peak memory ${name}`, peakResidentBytes() / mebibyte, 'MiB', limitBytes / mebibyte + 150);

export const storeMemory: Bench = {
  name: 'store-memory',
  summary:
    'resident memory of a store of 10 M keys of 16 + 100 B (--keys 100000000: of as many), limit 512 MiB',
  run: async ({ isQuick, keys }) => {
    const count = keys ?? (isQuick ? 200_000 : 10_000_000);
    const directory = mkdtempSync(join(tmpdir(), 'tailrace-bench-'));
    try {
      let engine = await Engine.open(directory, settings);
      await fill(engine, count);
      const results = [peak('after filling in order')];
      await new EngineContender(engine, count).write(0, Math.min(count, 1_000_000));
      results.push(peak('after 1 M scattered updates'));
      await scanRate(engine, count);
      results.push(peak('after a scan of all'));
      await engine.close();
      const opened = await seconds(async () => {
        engine = await Engine.open(directory, settings);
      });
      await coldRate(new EngineContender(engine, count), count);
      await engine.close();
      return [
        ...results,
        peak('after opening and 300,000 gets'),
        atMost('open after a clean close', opened * 1000, 'ms', 500),
      ];
    } finally {
      rmSync(directory, { recursive: true });
    }
  },
};
