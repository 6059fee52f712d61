import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RocksLevel } from '@nxtedition/rocksdb';
import { ClassicLevel } from 'classic-level';
import { Engine } from '../src/engine/index.js';
import { WriteBatchBuilder } from '../src/write-batch/index.js';
import { alternate, type Bench, type BenchResult, result, seconds } from './harness.js';

type Write = (keys: readonly string[], value: Buffer, isSynced: boolean) => Promise<unknown>;

interface Contender {
  readonly name: string;
  open(directory: string): Promise<{ write: Write; close(): Promise<void> }>;
}

const tailrace: Contender = {
  name: 'tailrace',
  open: async (directory) => {
    const stores = {
      synced: await Engine.open(join(directory, 'synced')),
      none: await Engine.open(join(directory, 'none'), { sync: 'none' }),
    };
    const batch = new WriteBatchBuilder(16 * 1024);
    return {
      write: (keys, value, isSynced) => {
        batch.clear();
        for (const key of keys) batch.put(0, Buffer.from(key), value);
        return (isSynced ? stores.synced : stores.none).write(batch.finish());
      },
      close: async () => {
        await stores.synced.close();
        await stores.none.close();
      },
    };
  },
};

const level = (name: string, make: (location: string) => unknown): Contender => ({
  name,
  open: async (directory) => {
    const database = make(directory) as ClassicLevel<string, Buffer>;
    await database.open();
    return {
      write: (keys, value, isSynced) =>
        database.batch(
          keys.map((key) => ({ type: 'put' as const, key, value })),
          { sync: isSynced },
        ),
      close: () => database.close(),
    };
  },
});

const peers: readonly Contender[] = [
  level('classic-level', (location) => new ClassicLevel(location, { valueEncoding: 'buffer' })),
  level('@nxtedition/rocksdb', (location) => new RocksLevel(location, { valueEncoding: 'buffer' })),
];

/** Writers that each wait for their own write before the next: `writers` batches are under way at any time. */
const writeAll = async (
  write: Write,
  batches: number,
  batchPuts: number,
  isSynced: boolean,
  writers: number,
): Promise<void> => {
  const value = Buffer.alloc(100, 'v');
  let next = 0;
  const writer = async (): Promise<void> => {
    while (next < batches) {
      const at = next++;
      const keys = Array.from({ length: batchPuts }, (_, i) =>
        String(((at * batchPuts + i) * 7919) % 1_000_003).padStart(16, '0'),
      );
      await write(keys, value, isSynced);
    }
  };
  await Promise.all(Array.from({ length: writers }, writer));
};

export const engineWrite: Bench = {
  name: 'engine-write',
  summary: 'writes of 16 B keys and 100 B values by 64 writers that each wait for theirs',
  run: async ({ isQuick }) => {
    const directory = mkdtempSync(join(tmpdir(), 'tailrace-bench-'));
    const contenders = [tailrace, ...peers];
    const opened = await Promise.all(
      contenders.map((contender) => contender.open(join(directory, contender.name.replace('/', '-')))),
    );
    const results: BenchResult[] = [];
    try {
      const cases = [
        { name: 'batches of 1, no sync', batches: 200_000, puts: 1, isSynced: false },
        { name: 'batches of 100, no sync', batches: 5_000, puts: 100, isSynced: false },
        { name: 'batches of 1, synced', batches: 20_000, puts: 1, isSynced: true },
      ];
      for (const { name, batches, puts, isSynced } of cases) {
        const count = isQuick ? batches / 10 : batches;
        const rates = await alternate(
          isQuick ? 1 : 5,
          opened.map(
            ({ write }) =>
              async () =>
                (count * puts) / (await seconds(() => writeAll(write, count, puts, isSynced, 64))),
          ),
        );
        for (const [i, peer] of peers.entries())
          results.push(result(name, rates[0], 'puts/s', peer.name, rates[i + 1], 1));
      }
      return results;
    } finally {
      for (const store of opened) await store.close();
      rmSync(directory, { recursive: true });
    }
  },
};
