/**
 * What `work` comes to, or the reason of the signal once that aborts: whoever is told to end does not wait for a target
 * that stands still, whether or not its sink listens to signals. What `work` comes to later is not heard any more.
 */
export const orGivenUp = async <Result>(work: Promise<Result>, signal: AbortSignal): Promise<Result> => {
  let giveUp: () => void = () => undefined;
  const givenUp = new Promise<never>((_, reject) => {
    giveUp = () => reject(signal.reason);
  });
  if (signal.aborted) giveUp();
  signal.addEventListener('abort', giveUp, { once: true });
  try {
    return await Promise.race([work, givenUp]);
  } finally {
    signal.removeEventListener('abort', giveUp);
    work.catch(() => undefined);
  }
};
