/**
 * Runs `work` under a signal that aborts when one of `signals` does, or after `ms`, with a `TimeoutError`.
 *
 * An `AbortSignal.timeout` within an `AbortSignal.any` is held by a weak reference alone: when the garbage collector comes
 * by while something waits for it, it never aborts (nodejs/node#57736).
 */
export const withDeadline = async <Result>(
  ms: number,
  signals: readonly AbortSignal[],
  work: (signal: AbortSignal) => Promise<Result>,
): Promise<Result> => {
  const ended = new AbortController();
  const watching = signals.map((signal) => {
    const end = (): void => ended.abort(signal.reason);
    if (signal.aborted) end();
    else signal.addEventListener('abort', end, { once: true });
    return () => signal.removeEventListener('abort', end);
  });
  const timer = setTimeout(() => {
    ended.abort(new DOMException(`no answer within ${ms} ms (timeout)`, 'TimeoutError'));
  }, ms);
  try {
    return await work(ended.signal);
  } finally {
    clearTimeout(timer);
    for (const unwatch of watching) unwatch();
  }
};
