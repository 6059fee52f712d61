import { setImmediate as nextTurn } from 'node:timers/promises';

/**
 * Long work in short turns of the event loop, between which timers, signals and sockets have theirs.
 *
 * @example
 * const turns = new Turns();
 * for (const change of changes) {
 *   handle(change);
 *   if (turns.isOverAfterStep()) await turns.next();
 * }
 */
export class Turns {
  readonly #signal: AbortSignal | undefined;
  #sinceMs = performance.now();
  #stepsUntilLook = stepsBetweenLooks;

  /** @param signal makes `next` reject when it aborts */
  constructor(signal?: AbortSignal) {
    this.#signal = signal;
  }

  /** True when the turn has been long enough. */
  get isOver(): boolean {
    return performance.now() - this.#sinceMs >= turnMs;
  }

  /** As `isOver`, for calls after very short steps, of some microseconds: looks at the clock only once in many calls. */
  isOverAfterStep(): boolean {
    if (--this.#stepsUntilLook > 0) return false;
    this.#stepsUntilLook = stepsBetweenLooks;
    return this.isOver;
  }

  /** Yields; resolves in the next turn of the event loop. */
  async next(): Promise<void> {
    await nextTurn(undefined, { signal: this.#signal });
    this.#sinceMs = performance.now();
  }
}

const turnMs = 10;
const stepsBetweenLooks = 100;
