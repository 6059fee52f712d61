import { once } from 'node:events';
import process from 'node:process';

/** Writes to standard output, waiting while its reader is slow. */
export const writeOut = async (text: string | Uint8Array): Promise<void> => {
  if (!process.stdout.write(text)) await once(process.stdout, 'drain');
};
