import { setTimeout as delay } from 'node:timers/promises';

/** Waits for a condition instead of sleeping; fails with `what` when it does not come true in time. */
export const waitUntil = async (
  what: string,
  condition: () => boolean | Promise<boolean>,
  timeoutMs = 60_000,
): Promise<void> => {
  const deadline = Date.now() + timeoutMs;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`waited ${timeoutMs} ms in vain: ${what}`);
    await delay(10);
  }
};
