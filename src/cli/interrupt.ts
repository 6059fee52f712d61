import process from 'node:process';
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
