import { ClassicLevel } from 'classic-level';
import { type Engine, nowhere } from '../../src/engine/index.js';
import { WriteBatchBuilder } from '../../src/write-batch/index.js';
import { seconds } from '../harness.js';
import { writtenBytes } from './process-figures.js';

/** A store as the benchmarks use it: batches that are not synced, and reads at once. */
export interface Contender {
  readonly name: string;
  /** Writes the keys of `from` to `to`, scattered among all. */
  write(from: number, to: number): Promise<void>;
  get(key: Buffer): Buffer | undefined;
  close(): Promise<void>;
}

export const batchPuts = 100;
export const value = Buffer.alloc(100, 'v');
export const recordBytes = 116;
export const keyOf = (n: number): Buffer => Buffer.from(String(n).padStart(16, '0'));
/**
 * Makes `keyOf(n)` of one key again and again, for n below 10^9. All who write copy it at once; new keys for each put would
 * make most of the garbage, and what is measured would be how it is collected.
 */
const putDigits = (key: Buffer, n: number): void => {
  let rest = n;
  for (let i = key.length - 1; i >= key.length - 9; i--) {
    const quotient = Math.floor(rest / 10);
    key[i] = zero + rest - quotient * 10;
    rest = quotient;
  }
};
const zero = 48;
/** The same keys in the same order for all: every number below `count`, scattered. */
const scattered = (i: number, count: number): number => (i * 7_368_787) % count;

/** 512 MiB in all: four groups of memtables at most, and the page cache. */
export const limits = { memtableBytes: 64 << 20, pageCacheBytes: 256 << 20 };
export const limitBytes = 512 << 20;

export class EngineContender implements Contender {
  readonly name = 'tailrace';
  readonly engine: Engine;
  readonly #count: number;
  readonly #batch = new WriteBatchBuilder(16 * 1024);
  readonly #key = keyOf(0);

  constructor(engine: Engine, count: number) {
    this.engine = engine;
    this.#count = count;
  }

  async write(from: number, to: number): Promise<void> {
    const batch = this.#batch;
    for (let i = from; i < to; i += batchPuts) {
      batch.clear();
      for (let j = i; j < Math.min(to, i + batchPuts); j++) {
        putDigits(this.#key, scattered(j, this.#count));
        batch.put(0, this.#key, value);
      }
      await this.engine.write(batch.finish());
    }
  }

  get(key: Buffer): Buffer | undefined {
    return this.engine.get(0, key);
  }

  close(): Promise<void> {
    return this.engine.close();
  }
}

export const openLevel = async (path: string, count: number, cacheSize: number): Promise<Contender> => {
  const level = new ClassicLevel<Buffer, Buffer>(path, {
    keyEncoding: 'buffer',
    valueEncoding: 'buffer',
    cacheSize,
    writeBufferSize: limits.memtableBytes,
  });
  await level.open();
  const key = keyOf(0);
  return {
    name: 'classic-level',
    write: async (from, to) => {
      for (let i = from; i < to; i += batchPuts) {
        const batch = level.batch();
        for (let j = i; j < Math.min(to, i + batchPuts); j++) {
          putDigits(key, scattered(j, count));
          batch.put(key, value);
        }
        await batch.write();
      }
    },
    get: (key) => level.getSync(key),
    close: () => level.close(),
  };
};

/** Undefined where it is not installed (`npm install --no-save lmdb`). */
export const openLmdb = async (path: string, count: number): Promise<Contender | undefined> => {
  const lmdb = await import('lmdb').catch(() => undefined);
  if (lmdb === undefined) return undefined;
  const database = lmdb.open({ path, encoding: 'binary', keyEncoding: 'binary', noSync: true });
  const key = keyOf(0);
  return {
    name: 'lmdb',
    write: async (from, to) => {
      for (let i = from; i < to; i += batchPuts)
        database.transactionSync(() => {
          for (let j = i; j < Math.min(to, i + batchPuts); j++) {
            putDigits(key, scattered(j, count));
            void database.put(key, value);
          }
        });
    },
    get: (key) => database.get(key),
    close: () => database.close(),
  };
};

/**
 * Rates of filling a store and of writing part of it again, how long a batch of either took at most, in ms, and how many
 * bytes each byte written again made it write.
 */
export interface WriteFigures {
  readonly fill: number;
  readonly update: number;
  readonly longestWaitMs: number;
  readonly amplification: number;
}

export const measureWrites = async (contender: Contender, count: number): Promise<WriteFigures> => {
  const updates = Math.min(count, 2_000_000);
  let longestWaitMs = 0;
  const write = (to: number): Promise<number> =>
    seconds(async () => {
      for (let at = 0; at < to; at += batchPuts) {
        const start = performance.now();
        await contender.write(at, at + batchPuts);
        longestWaitMs = Math.max(longestWaitMs, performance.now() - start);
      }
    });
  const fill = count / (await write(count));
  const before = writtenBytes();
  const update = updates / (await write(updates));
  return { fill, update, longestWaitMs, amplification: (writtenBytes() - before) / (updates * recordBytes) };
};

/**
 * Reads of keys whose pages are in the cache after the first time: 32,000 keys scattered among all, in the worst case
 * each in a page of its own, which is half of the page cache. All keys would not fit into it.
 */
export const warmRate = (contender: Contender, count: number): Promise<number> =>
  getRate(contender, count, Math.min(count, 32_000));

/** Records a second of a scan of all, keys and values. */
export const scanRate = async (engine: Engine, count: number): Promise<number> => {
  let seen = 0;
  const scanned = await seconds(() => {
    const place = nowhere();
    for (const iterator = engine.iterate({ columnFamily: 0 }); iterator.valid; iterator.next()) {
      iterator.locate(place);
      if (place.keyEnd - place.keyStart === 16 && place.valueEnd > place.valueStart) seen++;
    }
  });
  if (seen !== count) throw new Error(`the scan saw ${seen} of ${count} records`);
  return seen / scanned;
};

/** Reads of keys from everywhere, most of them not in the cache. */
export const coldRate = (contender: Contender, count: number): Promise<number> =>
  getRate(contender, count, count);

const getRate = async (contender: Contender, count: number, distinct: number): Promise<number> => {
  const gets = 300_000;
  const numbers = Uint32Array.from({ length: gets }, (_, i) => scattered((i * 31 + 7) % distinct, count));
  const key = keyOf(0);
  let found = 0;
  const took = await seconds(() => {
    for (const n of numbers) {
      putDigits(key, n);
      if (contender.get(key)?.length === value.length) found++;
    }
  });
  if (found !== gets) throw new Error(`${gets - found} of ${gets} keys were not found`);
  return gets / took;
};
