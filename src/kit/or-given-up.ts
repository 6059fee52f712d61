/**
 * What `work` comes to, or the reason of the signal once that has aborted, and `patienceMs` more have passed: whoever is
 * told to end does not wait for a target that stands still, whether or not it listens to signals. What `work` comes to
 * later is not heard any more.
 */
export const orGivenUp = async <Result>(
  work: Promise<Result>,
  signal: AbortSignal,
  patienceMs = 0,
): Promise<Result> => {
  let timer: NodeJS.Timeout | undefined;
  let onAbort: () => void = () => undefined;
  const givenUp = new Promise<never>((_, reject) => {
    const giveUp = (): void => reject(signal.reason);
    onAbort = () => {
      if (patienceMs === 0) giveUp();
      else timer = setTimeout(giveUp, patienceMs);
    };
  });
  if (signal.aborted) onAbort();
  else signal.addEventListener('abort', onAbort, { once: true });
  try {
    return await Promise.race([work, givenUp]);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', onAbort);
    work.catch(() => undefined);
  }
};

/**
 * How long a claim or a write that is under way may still take once nobody waits for what comes of it: to cut one short
 * leaves its outcome unknown, which costs the next run a question to the target.
 */
export const patienceWithSinkMs = 3_000;
