import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach } from 'vitest';
import { Wal, type WalOptions } from '../../../src/engine/wal/index.js';
import { WriteBatchBuilder } from '../../../src/write-batch/index.js';
import { throwAwayDirectory } from '../../services/index.js';

export const walDefaults: WalOptions = {
  sync: 'always',
  syncIntervalMs: 100,
  segmentBytes: 1024 * 1024,
  isReadOnly: false,
};

/** The directory of a log, empty for each test, and what tests do with it. */
export interface LogDirectory {
  readonly path: string;
  open(options?: Partial<WalOptions>, visit?: (bytes: Buffer) => void): Promise<Wal>;
  /** Opens it again, with the batches that it then holds. */
  recovered(options?: Partial<WalOptions>): Promise<{ readonly batches: Buffer[]; readonly wal: Wal }>;
  /** Names of the segments, oldest first. */
  files(): string[];
  /** Path of the newest segment. */
  newest(): string;
  /** Begins anew in the middle of a test. */
  empty(): void;
}

/** For the tests of one file. */
export const useLog = (): LogDirectory => {
  let directory: ReturnType<typeof throwAwayDirectory>;
  beforeEach(() => {
    directory = throwAwayDirectory('wal');
  });
  afterEach(() => directory.remove());
  const log: LogDirectory = {
    get path() {
      return directory.path;
    },
    open: (options = {}, visit = () => undefined) =>
      Wal.open(directory.path, { ...walDefaults, ...options }, visit),
    recovered: async (options) => {
      const batches: Buffer[] = [];
      const wal = await log.open(options, (bytes) => batches.push(Buffer.from(bytes)));
      return { batches, wal };
    },
    files: () =>
      readdirSync(directory.path)
        .filter((name) => name.endsWith('.log'))
        .sort(),
    newest: () => join(directory.path, log.files().at(-1) ?? ''),
    empty: () => {
      rmSync(directory.path, { recursive: true });
      mkdirSync(directory.path);
    },
  };
  return log;
};

/** A batch of one put whose value has the given length, with the log's next sequence number. */
export const batchFor = (wal: Wal, valueBytes: number, puts = 1): Buffer => {
  const batch = new WriteBatchBuilder();
  for (let i = 0; i < puts; i++)
    batch.put(
      0,
      Buffer.from(`key-${wal.nextSequence + i}`),
      Buffer.alloc(valueBytes, (wal.nextSequence + i) & 0xff),
    );
  return Buffer.from(batch.finish(wal.nextSequence));
};

/** Batches of one put each, appended and durable. */
export const appendAll = async (wal: Wal, sizes: readonly number[]): Promise<Buffer[]> => {
  const batches = sizes.map((size) => {
    const batch = batchFor(wal, size);
    wal.append(batch);
    return batch;
  });
  await wal.whenDurable(wal.nextSequence - 1);
  return batches;
};
