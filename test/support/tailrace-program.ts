import { existsSync } from 'node:fs';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { type ProgramResult, runProgram } from './run-program.js';

/** Beside `test`, or beside `dist` when these tests run as built. */
const findProgram = (): string => {
  for (const path of ['../../bin/tailrace.js', '../../../bin/tailrace.js']) {
    const found = fileURLToPath(new URL(path, import.meta.url));
    if (existsSync(found)) return found;
  }
  throw new Error('bin/tailrace.js is missing');
};

/** The command line, which runs what was built. */
export const program = findProgram();

/** Runs a command of tailrace to its end. */
export const runTailrace = (...words: readonly string[]): Promise<ProgramResult> =>
  runProgram(process.execPath, [program, ...words]);
