import { mkdirSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { codeOf } from '../errors/index.js';
import { inaccessible, notADirectory } from './files.js';

/**
 * Makes a directory with all parents that are missing; one that is there is left alone. Not by Node's own
 * `recursive`, which never ends where the system says ENOENT although the parent is there, as below /proc.
 *
 * @throws TailraceError `FILE_INACCESSIBLE`
 */
export const makeDirectory = (path: string): void => {
  try {
    makeWithParents(path);
  } catch (cause) {
    throw inaccessible(path, cause);
  }
};

const makeWithParents = (path: string): void => {
  try {
    mkdirSync(path);
  } catch (error) {
    if (isDirectory(path)) return;
    const code = codeOf(error);
    if (code === 'EEXIST') throw notADirectory(path);
    const isParentMissing = code === 'ENOENT';
    if (!isParentMissing || isDirectory(dirname(path))) throw error;
    makeWithParents(dirname(path));
    makeWithParents(path);
  }
};

const isDirectory = (path: string): boolean =>
  statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
