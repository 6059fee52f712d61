/** Calls a second between two looks that are a second or more apart, as INFO has them. */
export class CallRate {
  readonly #nowMs: () => number;
  #lookedMs: number;
  #calls = 0;
  #rate = 0;

  constructor(nowMs: () => number = () => performance.now()) {
    this.#nowMs = nowMs;
    this.#lookedMs = nowMs();
  }

  /** The rate when `calls` is how many there have been so far. */
  since(calls: number): number {
    const nowMs = this.#nowMs();
    const elapsedMs = nowMs - this.#lookedMs;
    if (elapsedMs < 1000) return this.#rate;
    this.#rate = Math.max(0, Math.round(((calls - this.#calls) * 1000) / elapsedMs));
    this.#calls = calls;
    this.#lookedMs = nowMs;
    return this.#rate;
  }
}
