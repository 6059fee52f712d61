import { isTailraceError, type TailraceError } from '../errors/index.js';
import { Backoff, CalmWarning, type Logger, type RetryOptions, systemTiming } from '../kit/index.js';

/**
 * Runs `work` again, after growing pauses, as long as it ends with `SOURCE_UNREACHABLE` or `SINK_UNREACHABLE` and it is not time
 * to give up.
 */
export const whileUnreachable = async <Result>(
  retry: RetryOptions,
  logger: Logger,
  signal: AbortSignal,
  work: () => Promise<Result>,
): Promise<Result> => {
  const backoff = new Backoff(retry, systemTiming);
  const warning = new CalmWarning(logger);
  for (;;) {
    try {
      return await work();
    } catch (error) {
      signal.throwIfAborted();
      if (!isUnreachable(error) || !backoff.mayRetry()) throw error;
      warning.warn('a server cannot be reached, trying again', { reason: error.message });
      await backoff.wait(signal);
      signal.throwIfAborted();
    }
  }
};

const isUnreachable = (error: unknown): error is TailraceError =>
  isTailraceError(error, 'SOURCE_UNREACHABLE') || isTailraceError(error, 'SINK_UNREACHABLE');
