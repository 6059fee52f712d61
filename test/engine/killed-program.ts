import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { SeededRandom } from '../support/seeded-random.js';
import { waitUntil } from '../support/wait-until.js';

/**
 * Starts a program of this folder and kills it with SIGKILL at a random moment: less than `withinMs` after what it has
 * written is enough. Returns all of its output.
 */
export const runAndKill = async (
  program: 'kill-writer' | 'kill-store-writer' | 'kill-copy',
  parameters: readonly string[],
  random: SeededRandom,
  isEnough: (written: string) => boolean,
  withinMs = 20,
): Promise<string> => {
  const script = fileURLToPath(new URL(`../../dist/test/engine/${program}.js`, import.meta.url));
  const child = spawn(process.execPath, [script, ...parameters], { stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString();
  });
  const exited = new Promise((resolve) => child.once('close', resolve));
  await waitUntil(`enough output of ${program}`, () => isEnough(output));
  await new Promise((resolve) => setTimeout(resolve, random.below(withinMs)));
  child.kill('SIGKILL');
  await exited;
  return output;
};
