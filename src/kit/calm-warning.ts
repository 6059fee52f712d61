import type { Logger } from './plugin.js';

/**
 * Warns of what fails again and again: at once, when the reason changes, and ever less often while it stays the same, at last
 * once a minute: an outage of a night is no flood.
 * One for each series of tries.
 */
export class CalmWarning {
  readonly #log: Logger;
  readonly #now: () => number;
  #reason: string | undefined;
  #warnedAtMs = 0;
  #pauseMs = firstPauseMs;

  /** @param now a clock, in ms */
  constructor(log: Logger, now: () => number = () => performance.now()) {
    this.#log = log;
    this.#now = now;
  }

  warn(message: string, fields: { readonly reason: string; readonly [name: string]: unknown }): void {
    const now = this.#now();
    const isSame = fields.reason === this.#reason;
    if (isSame && now - this.#warnedAtMs < this.#pauseMs) return;
    this.#pauseMs = isSame ? Math.min(this.#pauseMs * 2, longestPauseMs) : firstPauseMs;
    this.#reason = fields.reason;
    this.#warnedAtMs = now;
    this.#log.warn(message, fields);
  }
}

const firstPauseMs = 5_000;
const longestPauseMs = 60_000;
