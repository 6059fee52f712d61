import { readSpace, SpaceMap, type SpacePin, VersionedSpace } from '../space/index.js';
import type { DataFile } from './data-file.js';
import { pageBytes } from './page.js';
import { type Superblock, superblockUnits, unreadable } from './superblock.js';
import type { TreeState, TreeStoreOptions } from './tree-store.js';

/** The space of a data file as its newest state and older ones, from the oldest on, tell. @throws `STORE_CORRUPT` */
export const restoreSpace = (
  file: DataFile,
  superblock: Superblock,
  older: readonly TreeState[],
): { space: VersionedSpace; map: SpaceMap; pins: SpacePin[] } => {
  const options = { unitBytes: pageBytes };
  if (superblock.space !== undefined)
    return readSpace(
      options,
      (unit, byteLength) => file.readUnits(unit, byteLength),
      superblock.space,
      older.flatMap(({ space }) => space ?? []),
    );
  const space = new VersionedSpace(superblockUnits, options);
  space.allocate(superblockUnits);
  return { space, map: new SpaceMap(space), pins: [] };
};

/**
 * @throws `STORE_CORRUPT` when the file belongs to another store, is of another layout, or is older than a state that a
 * checkpoint holds: these are noted when they are durable, so that the superblock of a newer one was damaged since
 */
export const requireFitting = (
  file: DataFile,
  superblock: Superblock,
  options: TreeStoreOptions,
  older: readonly TreeState[],
): void => {
  if (superblock.storeId !== options.storeId)
    throw unreadable(
      file.path,
      `the data file belongs to store ${superblock.storeId}, the directory to ${options.storeId}`,
    );
  if (superblock.roots.length !== options.columnFamilies)
    throw unreadable(
      file.path,
      `the data file has ${superblock.roots.length} column families, this version ${options.columnFamilies}`,
    );
  const newest = older.reduce((epoch, state) => Math.max(epoch, state.epoch), 0);
  if (newest > superblock.epoch)
    throw unreadable(
      file.path,
      `its newest superblock is damaged: a checkpoint holds state ${newest}, the other superblock is of state ${superblock.epoch}`,
    );
};
