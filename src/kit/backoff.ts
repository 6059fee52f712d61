import { setTimeout as delay } from 'node:timers/promises';

/** How long to wait between tries, and when to give up. All times in ms. */
export interface RetryOptions {
  readonly initialMs: number;
  readonly maxMs: number;
  /** Time since the first failure after which the failure counts; Infinity = never. */
  readonly giveUpAfterMs: number;
}

/** Time and chance, so that tests can own them. */
export interface Timing {
  now(): number;
  /** In [0, 1). */
  random(): number;
  /** Resolves after `ms`, or at once when the signal aborts. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
}

/** The clock and the chance of this process. */
export const systemTiming: Timing = {
  now: () => performance.now(),
  random: () => Math.random(),
  sleep: async (ms, signal) => {
    try {
      await delay(ms, undefined, { signal });
    } catch {
      // Aborted: the caller looks at the signal.
    }
  },
};

/** Exponential backoff with full jitter: waits a random time below a bound that doubles with each failure. */
export class Backoff {
  readonly #options: RetryOptions;
  readonly #timing: Timing;
  #failures = 0;
  #firstFailureMs = 0;

  constructor(options: RetryOptions, timing: Timing) {
    this.#options = options;
    this.#timing = timing;
  }

  /** False when it is time to give up. Call once for each failure. */
  mayRetry(): boolean {
    const now = this.#timing.now();
    if (this.#failures++ === 0) this.#firstFailureMs = now;
    return now - this.#firstFailureMs < this.#options.giveUpAfterMs;
  }

  /** Waits before the next try; at least `atLeastMs` when the other side asked for it. */
  async wait(signal: AbortSignal, atLeastMs = 0): Promise<void> {
    const bound = Math.min(this.#options.maxMs, this.#options.initialMs * 2 ** (this.#failures - 1));
    await this.#timing.sleep(Math.max(atLeastMs, bound * this.#timing.random()), signal);
  }

  /** Forgets the failures: something succeeded. */
  reset(): void {
    this.#failures = 0;
  }
}
