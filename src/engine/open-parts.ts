import { join } from 'node:path';
import { makeDirectory, nodeFiles, ProcessLock } from '../files/index.js';
import { CheckpointCatalog, StoreCheckpoints, statesOf } from './checkpoints/index.js';
import { closeAll } from './close-all.js';
import { locked } from './engine-faults.js';
import {
  defaultMemtableBytes,
  defaultPageCacheBytes,
  defaultThreadFromBytes,
  type EngineOptions,
} from './engine-options.js';
import { openLog } from './open-log.js';
import { StoreData } from './store-data.js';
import { openIdentity, requireOwnDirectory, type StoreIdentity } from './store-identity.js';
import type { Wal } from './wal/index.js';

/** What an open store consists of. */
export interface StoreParts {
  readonly directory: string;
  readonly identity: StoreIdentity;
  /** Absent when the store is opened for reading only. */
  readonly lock: ProcessLock | undefined;
  readonly data: StoreData;
  readonly checkpoints: StoreCheckpoints;
  readonly wal: Wal;
}

/**
 * Opens the parts of the store in a directory, replays its log, and hands them to `make`. If any of that fails,
 * `make` included, everything opened so far is closed again.
 * @throws TailraceError see `Engine.open`
 */
export const openParts = async <Made>(
  directory: string,
  options: EngineOptions,
  make: (parts: StoreParts) => Made,
): Promise<Made> => {
  const isReadOnly = options.isReadOnly ?? false;
  const files = options.files ?? nodeFiles;
  if (!isReadOnly) {
    makeDirectory(directory);
    requireOwnDirectory(directory);
  }
  const lock = isReadOnly
    ? undefined
    : await ProcessLock.acquire(join(directory, 'LOCK'), (holder) => locked(directory, holder));
  try {
    const identity = await openIdentity(directory, files, !isReadOnly);
    const catalog = new CheckpointCatalog(directory, files);
    const list = catalog.read();
    const { data, held } = await StoreData.open(
      {
        directory,
        storeId: identity.id,
        files,
        isReadOnly,
        memtableBytes: options.memtableBytes ?? defaultMemtableBytes,
        pageCacheBytes: options.pageCacheBytes ?? defaultPageCacheBytes,
        maxDataBytes: options.maxDataBytes ?? Number.POSITIVE_INFINITY,
        threadFromBytes: options.threadFromBytes ?? defaultThreadFromBytes,
      },
      statesOf(list.checkpoints),
    );
    let wal: Wal | undefined;
    try {
      const checkpoints = new StoreCheckpoints(identity.id, data, catalog, files, options.nowMs ?? Date.now);
      checkpoints.load(list, held);
      wal = await openLog(directory, data, checkpoints, files, options);
      await checkpoints.finishLoad(wal.nextSequence - 1, isReadOnly);
      return make({ directory, identity, lock, data, checkpoints, wal });
    } catch (error) {
      const steps = [() => wal?.close(), () => catalog.close(), () => data.close()];
      await closeAll(steps).catch(() => {}); // errors that follow from the first one
      throw error;
    }
  } catch (error) {
    lock?.release();
    throw error;
  }
};
