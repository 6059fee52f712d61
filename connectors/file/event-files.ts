import { existsSync, readdirSync } from 'node:fs';
import { basename, dirname, extname, join } from 'node:path';

/**
 * The files of a file sink in the order in which they were written: `orders.ndjson` itself, if it is there, then the
 * numbered ones of a sink that rotates, `orders.000001.ndjson.gz`, `orders.000002.ndjson` …
 */
export const listEventFiles = (path: string): string[] => {
  const directory = dirname(path);
  const extension = extname(path);
  const stem = `${basename(path, extension)}.`;
  const numbered = new Map<number, string>();
  for (const name of existsSync(directory) ? readdirSync(directory) : []) {
    const bare = name.endsWith(compressed) ? name.slice(0, -compressed.length) : name;
    if (!bare.startsWith(stem) || !bare.endsWith(extension)) continue;
    const digits = bare.slice(stem.length, bare.length - extension.length);
    // While it is being compressed a file is there twice; the plain one is whole.
    if (/^\d{6,}$/.test(digits) && (!numbered.has(Number(digits)) || bare === name))
      numbered.set(Number(digits), join(directory, name));
  }
  const files = [...numbered].sort(([a], [b]) => a - b).map(([, file]) => file);
  return existsSync(path) ? [path, ...files] : files;
};

/** What tells a file from the others, compressed or not. */
export const identityOf = (file: string): string =>
  file.endsWith(compressed) ? file.slice(0, -compressed.length) : file;

const compressed = '.gz';
