import { randomUUID } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { TailraceError } from '../../errors/index.js';
import { type Files, inaccessible, makeDirectory, withFile } from '../../files/index.js';
import { writeIdentity } from '../store-identity.js';
import { encodeSuperblock, type HeldState, superblockUnits, type TreeStore } from '../tree/index.js';
import { ScatteredOutput } from './scattered-output.js';

/** A store that was made from a checkpoint. */
export interface Restored {
  readonly directory: string;
  readonly storeId: string;
  readonly sequence: number;
  readonly bytes: number;
}

/**
 * Copies a held state into a new store, unit by unit at the same places, so that what was a hole stays one. The
 * directory becomes a store with the last step; before that it is refused as one.
 */
export const restoreState = async (
  trees: TreeStore,
  source: string,
  { state, pin }: HeldState,
  target: string,
  files: Files,
): Promise<Restored> => {
  const directory = resolve(target);
  requireEmpty(directory);
  const storeId = randomUUID();
  const { unitBytes } = trees.space;
  const path = join(directory, 'data');
  let bytes = 0;
  await withFile(files, path, 'wx', async (fd) => {
    try {
      await using output = new ScatteredOutput(files, fd);
      for (const { start, length } of usedRuns(trees, pin)) {
        await output.write(trees.file.readUnits(start, length * unitBytes), start * unitBytes);
        bytes += length * unitBytes;
      }
      await output.finish();
      await files.truncate(fd, state.units * unitBytes);
      await files.write(fd, encodeSuperblock({ ...state, storeId }), (state.epoch & 1) * unitBytes);
      await files.datasync(fd);
      await writeIdentity(directory, files, storeId, source);
    } catch (cause) {
      // What was copied helps nobody, and would refuse the next attempt.
      for (const name of ['IDENTITY', 'data'])
        await files.remove(join(directory, name)).catch(() => undefined);
      throw cause;
    }
  });
  return { directory, storeId, sequence: state.sequence, bytes };
};

/** Runs of units that a held state uses, of bounded length, without those of the superblocks. */
export function* usedRuns(
  trees: TreeStore,
  pin: HeldState['pin'],
): Generator<{ start: number; length: number }> {
  const { space } = trees;
  let start = -1;
  for (let page = 0; page < space.pageCount; page++) {
    const bits = space.pageAt(pin, page).slice(); // others may go on while a run is copied
    for (let at = 0; at < space.pageUnits; at++) {
      const unit = page * space.pageUnits + at;
      const isUsed = unit >= superblockUnits && ((bits[at >>> 5] >>> (at & 31)) & 1) !== 0;
      if (start >= 0 && (!isUsed || unit - start === maxRunUnits)) {
        yield { start, length: unit - start };
        start = -1;
      }
      if (isUsed && start < 0) start = unit;
    }
  }
  if (start >= 0) yield { start, length: space.pageCount * space.pageUnits - start };
}

const requireEmpty = (directory: string): void => {
  let names: string[];
  makeDirectory(directory);
  try {
    names = readdirSync(directory);
  } catch (cause) {
    throw inaccessible(directory, cause);
  }
  if (names.length > 0)
    throw new TailraceError('FILE_INACCESSIBLE', `${directory} is not empty`, {
      context: { directory },
      remedy: 'Restore into a directory that does not exist or is empty.',
    });
};

const maxRunUnits = 256;
