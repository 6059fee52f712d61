import type { Logger } from './plugin.js';

/**
 * Warns of what fails again and again: at once, when the reason changes, and every few seconds while it stays the same.
 * One for each series of tries.
 */
export class CalmWarning {
  readonly #log: Logger;
  readonly #now: () => number;
  #reason: string | undefined;
  #warnedAtMs = 0;

  /** @param now a clock, in ms */
  constructor(log: Logger, now: () => number = () => performance.now()) {
    this.#log = log;
    this.#now = now;
  }

  warn(message: string, fields: { readonly reason: string; readonly [name: string]: unknown }): void {
    const now = this.#now();
    if (fields.reason === this.#reason && now - this.#warnedAtMs < sameReasonPauseMs) return;
    this.#reason = fields.reason;
    this.#warnedAtMs = now;
    this.#log.warn(message, fields);
  }
}

const sameReasonPauseMs = 5_000;
