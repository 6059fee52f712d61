import { setTimeout as delay } from 'node:timers/promises';

/**
 * Waits for a condition instead of sleeping; fails with `what` when it does not come true in time, which is long enough
 * for a machine that does ten other things. A function tells `what` by then.
 */
export const waitUntil = async (
  what: string | (() => string),
  condition: () => boolean | Promise<boolean>,
  timeoutMs = 240_000,
): Promise<void> => {
  const deadline = Date.now() + timeoutMs;
  while (!(await condition())) {
    if (Date.now() > deadline)
      throw new Error(`waited ${timeoutMs} ms in vain: ${typeof what === 'string' ? what : what()}`);
    await delay(10);
  }
};
