import { longestTimerMs } from '../longest-timer.js';

/** What CLIENT PAUSE holds back: all commands, or those that write. */
export type PauseMode = 'ALL' | 'WRITE';

/** A time in which commands wait. CLIENT itself never does, so that a pause can be ended. */
export class ClientPause {
  #mode: PauseMode | undefined;
  #untilMs = 0;
  #timer: NodeJS.Timeout | undefined;
  readonly #waiting = new Set<() => void>();

  get isActive(): boolean {
    return this.#mode !== undefined;
  }

  holds(isWrite: boolean): boolean {
    return this.#mode === 'ALL' || (this.#mode === 'WRITE' && isWrite);
  }

  /** The longer time and the stricter mode of an earlier pause stay. */
  start(durationMs: number, mode: PauseMode): void {
    const untilMs = Math.max(this.#untilMs, performance.now() + durationMs);
    this.#mode = this.#mode === 'ALL' ? 'ALL' : mode;
    this.#untilMs = untilMs;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.end(), Math.min(untilMs - performance.now(), longestTimerMs));
  }

  /** Calls `resume` when the pause is over; the function that is returned takes it back. */
  wait(resume: () => void): () => void {
    this.#waiting.add(resume);
    return () => this.#waiting.delete(resume);
  }

  /** Everyone goes on, in the order of their coming. */
  end(): void {
    clearTimeout(this.#timer);
    this.#mode = undefined;
    this.#untilMs = 0;
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const resume of waiting) resume();
  }
}
