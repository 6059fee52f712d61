import { existsSync } from 'node:fs';
import { resolve } from 'node:path';

/** A path from the root on, and whether there is nothing: from another working directory it is another place. */
export const describePath = (path: string): string =>
  existsSync(path) ? resolve(path) : `${resolve(path)}, which is not there`;
