import process from 'node:process';
import { CommanderError } from 'commander';
import { inaccessible } from '../files/index.js';
import { ExitCode, reportError } from './exit.js';
import { makeProgram } from './program.js';

const isJson = process.argv.includes('--json');

// A reader that closes the pipe, such as `head`, ends us quietly; a full disk does not.
process.stdout.on('error', (error: NodeJS.ErrnoException) =>
  process.exit(
    error.code === 'EPIPE' ? ExitCode.Done : reportError(inaccessible('standard output', error), isJson),
  ),
);
// Whoever read our log is gone: no reason to stop working, and nowhere to say so.
process.stderr.on('error', () => undefined);

try {
  await makeProgram({ isJson }).parseAsync();
} catch (error) {
  if (error instanceof CommanderError)
    process.exitCode = error.exitCode === 0 ? ExitCode.Done : ExitCode.Usage;
  else process.exitCode = reportError(error, isJson);
}
