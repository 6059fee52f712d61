import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { codeOf } from '../errors/index.js';

/**
 * The module of a package, as an address that `import` takes. It is looked for from the directory of `file` on, as
 * Node.js does, then beside this package.
 * @throws Error with the code `MODULE_NOT_FOUND`
 */
export const findPackage = (name: string, file: string): string => {
  try {
    return findFrom(name, resolve(file));
  } catch (error) {
    if (codeOf(error) !== 'MODULE_NOT_FOUND') throw error;
    return findFrom(name, fileURLToPath(import.meta.url));
  }
};

const findFrom = (name: string, file: string): string => {
  const { resolve: find } = createRequire(file);
  try {
    return pathToFileURL(find(name)).href;
  } catch (error) {
    if (codeOf(error) !== 'ERR_PACKAGE_PATH_NOT_EXPORTED') throw error;
    // It is there, but only for `import`, for which there is no resolving from another place.
    for (const folder of find.paths(name) ?? []) {
      const description = join(folder, name, 'package.json');
      if (!existsSync(description)) continue;
      const { exports } = JSON.parse(readFileSync(description, 'utf8')) as { exports: unknown };
      const entry = importEntry(fieldOf(exports, '.') ?? exports);
      if (entry !== undefined) return pathToFileURL(join(folder, name, entry)).href;
    }
    throw error;
  }
};

const importEntry = (entry: unknown): string | undefined => {
  if (typeof entry === 'string') return entry;
  const chosen = fieldOf(entry, 'node') ?? fieldOf(entry, 'import') ?? fieldOf(entry, 'default');
  return chosen === undefined ? undefined : importEntry(chosen);
};

const fieldOf = (value: unknown, name: string): unknown =>
  typeof value === 'object' && value !== null
    ? (value as Readonly<Record<string, unknown>>)[name]
    : undefined;
