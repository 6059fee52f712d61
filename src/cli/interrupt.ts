import process from 'node:process';
import { isTailraceError } from '../errors/index.js';
import { ExitCode } from './exit.js';

/**
 * A signal that aborts at SIGINT, SIGTERM or SIGHUP (a closed terminal), so that work can end cleanly. A second one ends
 * the process at once, unless it comes so soon that it is an echo of the first: `timeout`, `npx` and shells signal both
 * the process and its group.
 */
export const onInterrupt = (nowMs = (): number => performance.now()): AbortSignal => {
  const controller = new AbortController();
  let firstMs = 0;
  const interrupt = (): void => {
    if (!controller.signal.aborted) firstMs = nowMs();
    else if (nowMs() - firstMs > echoMs) endAtOnce();
    controller.abort();
  };
  for (const signal of signals) process.on(signal, interrupt);
  return controller.signal;
};

/**
 * Ends the process by SIGINT, which a shell tells as 130. Node.js' own exit waits for its threads, of which one may stand in a
 * call that the system does not answer, such as one for a file on a server that is gone.
 */
const endAtOnce = (): void => {
  for (const signal of signals) process.removeAllListeners(signal);
  process.kill(process.pid, 'SIGINT');
  process.exit(ExitCode.Interrupted); // the first process of a container, which no such signal ends
};

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

const echoMs = 500;

/** Runs `work`; what it fails with once the operator has interrupted is no error but exit code 130. */
export const untilInterrupted = async (
  interrupted: AbortSignal,
  work: () => Promise<unknown>,
): Promise<void> => {
  try {
    await work();
  } catch (error) {
    if (!interrupted.aborted || isTailraceError(error)) throw error;
    process.exitCode = ExitCode.Interrupted;
  }
};
