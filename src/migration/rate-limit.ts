import { setTimeout as delay } from 'node:timers/promises';

/** What a migration may ask of its source. */
export interface RateLimits {
  /** Keys read from the source in a second, at most; 0 = no limit. */
  readonly keysPerSecond: number;
  /** Bytes of keys and values read in a second, at most; 0 = no limit. */
  readonly bytesPerSecond: number;
}

/** Holds the average of a second below the limits, by pausing behind what was too much. */
export class RateLimit {
  readonly #limits: RateLimits;
  #freeAtMs = 0;

  constructor(limits: RateLimits) {
    this.#limits = limits;
  }

  get isLimited(): boolean {
    return this.#limits.keysPerSecond > 0 || this.#limits.bytesPerSecond > 0;
  }

  /** At most so many keys should be asked for at once, so that pauses stay short. */
  get maxKeys(): number {
    const { keysPerSecond } = this.#limits;
    return keysPerSecond === 0 ? Number.POSITIVE_INFINITY : Math.max(1, Math.ceil(keysPerSecond / 10));
  }

  get maxBytes(): number {
    const { bytesPerSecond } = this.#limits;
    return bytesPerSecond === 0 ? Number.POSITIVE_INFINITY : Math.max(1, Math.ceil(bytesPerSecond / 10));
  }

  /** Waits until what was read is within the limits. */
  async spend(keys: number, bytes: number, signal: AbortSignal): Promise<void> {
    const { keysPerSecond, bytesPerSecond } = this.#limits;
    const keysMs = keysPerSecond === 0 ? 0 : (keys * 1000) / keysPerSecond;
    const bytesMs = bytesPerSecond === 0 ? 0 : (bytes * 1000) / bytesPerSecond;
    const costMs = Math.max(keysMs, bytesMs);
    if (costMs === 0) return;
    this.#freeAtMs = Math.max(this.#freeAtMs, performance.now()) + costMs;
    const pauseMs = this.#freeAtMs - performance.now();
    if (pauseMs >= 1) await delay(pauseMs, undefined, { signal });
  }
}
