import { accessSync, constants, existsSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { inaccessible, notADirectory } from './files.js';

/** @throws TailraceError `FILE_INACCESSIBLE` when files cannot be made in a directory, or in what is there of the way to it */
export const requireWritable = (directory: string): void => {
  let nearest = directory;
  while (!existsSync(nearest)) nearest = dirname(nearest);
  if (!statSync(nearest).isDirectory()) throw notADirectory(nearest);
  try {
    accessSync(nearest, constants.W_OK | constants.X_OK);
  } catch (cause) {
    throw inaccessible(nearest, cause);
  }
};
