import process from 'node:process';
import { CommanderError } from 'commander';
import { ExitCode, reportError } from './exit.js';
import { makeProgram } from './program.js';

// A reader that closes the pipe, such as `head`, ends us quietly.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(ExitCode.Done);
  throw error;
});

const isJson = process.argv.includes('--json');
try {
  await makeProgram().parseAsync();
} catch (error) {
  if (error instanceof CommanderError)
    process.exitCode = error.exitCode === 0 ? ExitCode.Done : ExitCode.Usage;
  else process.exitCode = reportError(error, isJson);
}
