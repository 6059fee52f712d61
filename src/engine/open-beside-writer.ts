import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { isTailraceError, TailraceError } from '../errors/index.js';

/**
 * Opens a store for reading while its writer may be running. What the writer does meanwhile can look like damage: a page
 * that was reused, a segment that is gone. So it is tried again as long as files have changed during the attempt.
 * @throws what `open` throws when nothing has changed; TailraceError `STORE_CHANGED` after many attempts
 */
export const openBesideWriter = async <Opened>(
  directory: string,
  open: () => Promise<Opened>,
): Promise<Opened> => {
  for (let attempt = 1; ; attempt++) {
    const before = footprintOf(directory);
    try {
      return await open();
    } catch (cause) {
      if (!isTailraceError(cause) || footprintOf(directory) === before) throw cause;
      if (attempt === maxAttempts) throw neverStill(directory, cause);
    }
  }
};

const maxAttempts = 20;

/** Changes with every write to any file of the directory. */
const footprintOf = (directory: string): string => {
  try {
    return readdirSync(directory)
      .map((name) => {
        const { size, mtimeMs, ino } = statSync(join(directory, name));
        return `${name} ${size} ${mtimeMs} ${ino}`;
      })
      .join('\n');
  } catch (error) {
    return String(error); // there is none, or a file has just gone
  }
};

const neverStill = (directory: string, cause: TailraceError): TailraceError =>
  new TailraceError(
    'STORE_CHANGED',
    `${directory} was written to each of ${maxAttempts} times that it was opened for reading`,
    {
      context: { directory },
      remedy: 'Try again when less is written, or read through the server that has the store open.',
      cause,
    },
  );
