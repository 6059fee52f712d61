import { setImmediate as nextTurn } from 'node:timers/promises';

/** Longest time that the event loop stood still, in ms, while work went on. */
export class StallMeter {
  #longestMs = 0;
  #last = performance.now();
  #isOn = true;

  constructor() {
    void this.#watch();
  }

  stop(): number {
    this.#look();
    this.#isOn = false;
    return this.#longestMs;
  }

  async #watch(): Promise<void> {
    while (this.#isOn) {
      await nextTurn();
      this.#look();
    }
  }

  #look(): void {
    const now = performance.now();
    this.#longestMs = Math.max(this.#longestMs, now - this.#last);
    this.#last = now;
  }
}
