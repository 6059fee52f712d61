import process from 'node:process';
import { TailraceError } from '../errors/index.js';
import { ExitCode } from './exit.js';

/**
 * A signal that aborts at SIGINT or SIGTERM, so that work can end cleanly. A second SIGINT or SIGTERM ends the process
 * at once.
 */
export const onInterrupt = (): AbortSignal => {
  const controller = new AbortController();
  const interrupt = (): void => {
    if (controller.signal.aborted) process.exit(ExitCode.Interrupted);
    controller.abort();
  };
  process.on('SIGINT', interrupt);
  process.on('SIGTERM', interrupt);
  return controller.signal;
};

/** Runs `work`; what it fails with once the operator has interrupted is no error but exit code 130. */
export const untilInterrupted = async (
  interrupted: AbortSignal,
  work: () => Promise<unknown>,
): Promise<void> => {
  try {
    await work();
  } catch (error) {
    if (!interrupted.aborted || error instanceof TailraceError) throw error;
    process.exitCode = ExitCode.Interrupted;
  }
};
