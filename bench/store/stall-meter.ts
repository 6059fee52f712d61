import { monitorEventLoopDelay } from 'node:perf_hooks';

/** Longest time that the event loop stood still, in ms, while work went on; by a timer, so that watching takes no time itself. */
export class StallMeter {
  readonly #delays = monitorEventLoopDelay({ resolution: 1 });

  constructor() {
    this.#delays.enable();
  }

  stop(): number {
    this.#delays.disable();
    return this.#delays.max / 1e6;
  }
}
