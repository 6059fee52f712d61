import { setTimeout as delay } from 'node:timers/promises';
import { isRefused } from './refusal.js';

/** Tries again with growing pauses while the error is one that passes. */
export const whilePassing = async <Answer>(
  timeoutMs: number,
  isPassing: (error: unknown) => boolean,
  work: () => Promise<Answer>,
): Promise<Answer> => {
  const deadline = performance.now() + timeoutMs;
  for (let pauseMs = 1; ; pauseMs = Math.min(maxPauseMs, pauseMs * 2)) {
    try {
      return await work();
    } catch (error) {
      if (!isPassing(error) || performance.now() > deadline) throw error;
    }
    await delay(pauseMs);
  }
};

export const isBusy = (error: unknown): boolean => isRefused(error, 'busy');

const maxPauseMs = 20;
