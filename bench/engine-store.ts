import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { ClassicLevel } from 'classic-level';
import { Engine } from '../src/engine/index.js';
import { WriteBatchBuilder } from '../src/write-batch/index.js';
import { type Bench, type BenchResult, result, seconds } from './harness.js';

const batchPuts = 100;
const value = Buffer.alloc(100, 'v');
const keyOf = (n: number): Buffer => Buffer.from(String(n).padStart(16, '0'));
/** The same keys in the same order for all: every number below `count`, scattered. */
const scattered = (i: number, count: number): number => (i * 7_368_787) % count;

/** Longest time that the event loop stood still, in ms, while work went on. */
class StallMeter {
  longestMs = 0;
  #last = performance.now();
  #isOn = true;

  constructor() {
    void this.#watch();
  }

  stop(): number {
    this.#isOn = false;
    return this.longestMs;
  }

  async #watch(): Promise<void> {
    while (this.#isOn) {
      await nextTurn();
      const now = performance.now();
      this.longestMs = Math.max(this.longestMs, now - this.#last);
      this.#last = now;
    }
  }
}

const residentBytes = (): number => {
  const line = /VmRSS:\s+(\d+) kB/.exec(readFileSync('/proc/self/status', 'utf8'));
  return Number(line?.[1] ?? 0) * 1024;
};

const limits = { memtableBytes: 64 << 20, pageCacheBytes: 256 << 20 };

const fillEngine = async (engine: Engine, count: number): Promise<void> => {
  const batch = new WriteBatchBuilder(16 * 1024);
  for (let i = 0; i < count; i += batchPuts) {
    batch.clear();
    for (let j = i; j < Math.min(count, i + batchPuts); j++) batch.put(0, keyOf(scattered(j, count)), value);
    await engine.write(batch.finish());
  }
};

const fillLevel = async (level: ClassicLevel<Buffer, Buffer>, count: number): Promise<void> => {
  for (let i = 0; i < count; i += batchPuts) {
    const batch = level.batch();
    for (let j = i; j < Math.min(count, i + batchPuts); j++) batch.put(keyOf(scattered(j, count)), value);
    await batch.write();
  }
};

const getRate = async (
  count: number,
  gets: number,
  get: (key: Buffer) => Buffer | undefined,
): Promise<number> => {
  const keys = Array.from({ length: gets }, (_, i) => keyOf(scattered(i * 31 + 7, count)));
  let found = 0;
  const took = await seconds(() => {
    for (const key of keys) if (get(key)?.length === value.length) found++;
  });
  if (found !== gets) throw new Error(`${gets - found} of ${gets} keys were not found`);
  return gets / took;
};

const compareWithLevel = async (directory: string, count: number): Promise<BenchResult[]> => {
  const results: BenchResult[] = [];
  const peer = 'classic-level';
  const path = join(directory, 'engine');
  let engine = await Engine.open(path, { ...limits, sync: 'none' });

  const meter = new StallMeter();
  const fill = count / (await seconds(() => fillEngine(engine, count)));
  const again = count / (await seconds(() => fillEngine(engine, count)));
  const stallMs = meter.stop();
  const resident = residentBytes(); // before the peer takes memory in this process

  const level = new ClassicLevel<Buffer, Buffer>(join(directory, 'level'), {
    keyEncoding: 'buffer',
    valueEncoding: 'buffer',
    cacheSize: limits.pageCacheBytes,
    writeBufferSize: limits.memtableBytes,
  });
  await level.open();
  const levelFill = count / (await seconds(() => fillLevel(level, count)));
  const levelAgain = count / (await seconds(() => fillLevel(level, count)));

  const millions = `${count / 1e6} M keys of 16 + 100 B`;
  results.push(result(`random insert in batches of 100, ${millions}`, fill, 'puts/s', peer, levelFill, 1));
  results.push(result('random overwrite of all of them', again, 'puts/s', peer, levelAgain, 1));
  results.push(result('longest stall of the event loop meanwhile', 1000 / stallMs, '1/s', '50 ms', 20, 1));

  await engine.flush();
  const gets = Math.min(count, 300_000);
  await getRate(count, gets, (key) => engine.get(0, key));
  const warm = await getRate(count, gets, (key) => engine.get(0, key));
  await getRate(count, gets, (key) => level.getSync(key));
  const levelWarm = await getRate(count, gets, (key) => level.getSync(key));
  results.push(result('random get, warm cache', warm, 'gets/s', '1 M/s', 1e6, 1));
  results.push(result('random get, warm cache', warm, 'gets/s', `${peer} getSync`, levelWarm, 1));

  let seen = 0;
  const scanned = await seconds(() => {
    for (const { value: bytes } of engine.iterate({ columnFamily: 0 })) if (bytes.length > 0) seen++;
  });
  if (seen !== count) throw new Error(`the scan saw ${seen} of ${count} records`);
  results.push(result('ordered scan of all', seen / scanned, 'records/s', '3 M/s', 3e6, 1));

  const stalls = new StallMeter();
  let createMs = 0;
  const writing = fillEngine(engine, count / 10);
  for (let i = 0; i < 10; i++) {
    const start = performance.now();
    await engine.checkpoints.create({ name: `${i}` });
    createMs = Math.max(createMs, performance.now() - start);
  }
  await writing;
  stalls.stop();
  results.push(result('slowest of 10 checkpoints under writes', 1000 / createMs, '1/s', '20 ms', 50, 1));

  await engine.close();
  await level.close();
  const openMs =
    1000 *
    (await seconds(async () => {
      engine = await Engine.open(path, { ...limits, pageCacheBytes: 64 << 20, sync: 'none' });
    }));
  results.push(result('open after a clean close', 1000 / openMs, '1/s', '0.5 s', 2, 1));
  const cold = await getRate(count, gets, (key) => engine.get(0, key));
  const coldLevel = new ClassicLevel<Buffer, Buffer>(join(directory, 'level'), {
    keyEncoding: 'buffer',
    valueEncoding: 'buffer',
    cacheSize: 64 << 20,
  });
  await coldLevel.open();
  const levelCold = await getRate(count, gets, (key) => coldLevel.getSync(key));
  results.push(result('random get, cold cache of 64 MiB', cold, 'gets/s', `${peer} getSync`, levelCold, 1));
  await coldLevel.close();
  const limit = limits.memtableBytes * 2 + limits.pageCacheBytes + 150 * 2 ** 20;
  results.push(
    result(
      'memory: limits + 150 MiB, over what is resident',
      limit / 2 ** 20,
      'MiB',
      'RSS',
      resident / 2 ** 20,
      1,
    ),
  );
  await engine.close();
  return results;
};

export const engineStore: Bench = {
  name: 'engine-store',
  summary: 'random writes, reads and scans of a store that is larger than its memory, beside classic-level',
  run: async ({ isQuick }) => {
    const directory = mkdtempSync(join(tmpdir(), 'tailrace-bench-'));
    try {
      return await compareWithLevel(directory, isQuick ? 200_000 : 2_000_000);
    } finally {
      rmSync(directory, { recursive: true });
    }
  },
};
