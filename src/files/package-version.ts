import { existsSync, readFileSync } from 'node:fs';

/**
 * The version of the package, from the package.json above a file of it, compiled or not. `unknown` where there is none,
 * as when an application was bundled into one file.
 */
export const packageVersion = (file: string = import.meta.url): string => {
  let place = new URL('package.json', file);
  for (;;) {
    if (existsSync(place)) {
      const { name, version } = JSON.parse(readFileSync(place, 'utf8')) as {
        name?: string;
        version?: string;
      };
      if (name === 'tailrace') return version ?? 'unknown';
    }
    const above = new URL('../package.json', place);
    if (above.href === place.href) return 'unknown';
    place = above;
  }
};
