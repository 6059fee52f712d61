import { basename, relative } from 'node:path';
import process from 'node:process';

/**
 * What starts this program once more, for commands that are shown to be copied: `tailrace`, or what does it where that is in no
 * directory of PATH, as in a checkout.
 */
export const calledAs = (script = process.argv[1] ?? 'tailrace', from = process.cwd()): string => {
  if (/[\\/]node_modules[\\/]/.test(script)) return 'npx tailrace';
  return basename(script) === 'tailrace' ? 'tailrace' : `node ${relative(from, script)}`;
};
