import process from 'node:process';
import { CommanderError } from 'commander';
import { TailraceError } from '../errors/index.js';
import { inaccessible } from '../files/index.js';
import { ExitCode, reportError } from './exit.js';
import { makeProgram } from './program.js';

const isJson = process.argv.includes('--json');
let commandName = '';

// A reader that closes the pipe, such as `head`, has seen enough of what is only shown, and ends us quietly. What has an
// outcome has not come to it then, and a full disk is no reader at all.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') process.exit(reportError(inaccessible('standard output', error), isJson));
  process.exit(haveOutcome.has(commandName) ? reportError(unread(commandName), isJson) : ExitCode.Done);
});

const haveOutcome = new Set(['run', 'migrate', 'verify', 'cutover']);

const unread = (command: string): TailraceError =>
  new TailraceError('FILE_INACCESSIBLE', `${command} was not done when the reader of its output went away`, {
    remedy: 'Run it again, with a reader that stays to the end, or with its output in a file.',
  });

// Whoever read our log is gone: no reason to stop working, and nowhere to say so.
process.stderr.on('error', () => undefined);

try {
  await makeProgram({ isJson })
    .hook('preAction', (_, command) => {
      commandName = command.name();
    })
    .parseAsync();
} catch (error) {
  if (error instanceof CommanderError)
    process.exitCode = error.exitCode === 0 ? ExitCode.Done : ExitCode.Usage;
  else process.exitCode = reportError(error, isJson);
  // What had to be given up, such as a source that stands still, may never let go of what it holds.
  setTimeout(() => process.exit(), 1_000).unref();
}
