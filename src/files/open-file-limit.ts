import { readFileSync } from 'node:fs';

/** How many files and sockets this process may have open; Infinity where the system does not tell. */
export const openFileLimit = (): number => {
  try {
    const [, limit] = /^Max open files +(\d+)/m.exec(readFileSync('/proc/self/limits', 'latin1')) ?? [];
    return limit === undefined ? Number.POSITIVE_INFINITY : Number(limit);
  } catch {
    return Number.POSITIVE_INFINITY; // only Linux has the file
  }
};
