import { existsSync, readFileSync } from 'node:fs';

/** The version of the package, from the package.json above this file, compiled or not. */
export const packageVersion = (): string => {
  let place = new URL('package.json', import.meta.url);
  while (!existsSync(place)) place = new URL('../package.json', place);
  return (JSON.parse(readFileSync(place, 'utf8')) as { version: string }).version;
};
