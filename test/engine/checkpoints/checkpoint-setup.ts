import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach } from 'vitest';
import { type DataReader, Engine, type EngineOptions } from '../../../src/engine/index.js';
import { WriteBatchBuilder } from '../../../src/write-batch/index.js';
import { throwAwayDirectory } from '../../services/index.js';

/** So small that some hundred writes are flushed and merged. */
export const small = {
  sync: 'none',
  memtableBytes: 20_000,
  pageCacheBytes: 300_000,
  segmentBytes: 100_000,
} as const;
/** What a store is to hold: text by text. */
export type Model = Map<string, string>;
export const contentOf = (reader: Pick<DataReader, 'iterate'>): [string, string][] =>
  [...reader.iterate({ columnFamily: 0 })].map(({ key, value }) => [key.toString(), value.toString()]);
export const sorted = (model: Model): [string, string][] => [...model].sort(([a], [b]) => (a < b ? -1 : 1));
export const put = (engine: Engine, model: Model, key: string, value: string): void => {
  engine.commit(new WriteBatchBuilder().put(0, Buffer.from(key), Buffer.from(value)).finish());
  model.set(key, value);
};
export const fill = (engine: Engine, model: Model, from: number, to: number, value: string): void => {
  for (let i = from; i < to; i++) put(engine, model, `key:${String(i).padStart(5, '0')}`, `${value}:${i}`);
};

/** A directory of its own for each test around. */
export interface StoreDirectory {
  readonly path: string;
  /** Where the store is, once it has been opened. */
  store(): string;
  open(options?: EngineOptions): Promise<Engine>;
  /** What there is of the store after a kill now, in a directory of its own. */
  killed(): string;
}

export const useStoreDirectory = (): StoreDirectory => {
  let directory: ReturnType<typeof throwAwayDirectory>;
  beforeEach(() => {
    directory = throwAwayDirectory('checkpoints');
  });
  afterEach(() => directory.remove());
  const store = (): string => join(directory.path, 'store');
  return {
    get path() {
      return directory.path;
    },
    store,
    open: (options = {}) => Engine.open(store(), { ...small, ...options }),
    killed: () => {
      const copy = join(directory.path, 'killed');
      cpSync(store(), copy, { recursive: true, filter: (source) => !source.endsWith('LOCK') });
      return copy;
    },
  };
};
