/**
 * Bounds the bytes between a source and its sinks. Credit is taken before each pull and given back when what was
 * pulled is settled, so everything in between is bounded whatever the operators do.
 *
 * `take` may overdraw by one pull: a batch that is larger than the whole limit still passes, alone.
 */
export class CreditGate {
  readonly limitBytes: number;
  #usedBytes = 0;
  #waiting: (() => void)[] = [];

  constructor(limitBytes: number) {
    this.limitBytes = limitBytes;
  }

  get usedBytes(): number {
    return this.#usedBytes;
  }

  /** Resolves when there is credit; also when the signal aborts, which the caller checks. */
  async ready(signal: AbortSignal): Promise<void> {
    while (this.#usedBytes >= this.limitBytes && !signal.aborted) {
      await new Promise<void>((resolve) => {
        const done = (): void => {
          signal.removeEventListener('abort', done);
          resolve();
        };
        signal.addEventListener('abort', done);
        this.#waiting.push(done);
      });
    }
  }

  take(bytes: number): void {
    this.#usedBytes += bytes;
  }

  release(bytes: number): void {
    this.#usedBytes -= bytes;
    if (this.#usedBytes >= this.limitBytes) return;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const wake of waiting) wake();
  }
}
