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

  /** `signal` gives the work up: `next` rejects. */
  constructor(signal?: AbortSignal) {
    this.#signal = signal;
  }

  /** True when the turn has been long enough. */
  get isOver(): boolean {
    return performance.now() - this.#sinceMs >= turnMs;
  }

  /** The same behind one of many short steps, each of some microseconds at most: the clock is not looked at behind each. */
  isOverAfterStep(): boolean {
    if (--this.#stepsUntilLook > 0) return false;
    this.#stepsUntilLook = stepsBetweenLooks;
    return this.isOver;
  }

  /** Resolves in the next turn. */
  async next(): Promise<void> {
    await nextTurn(undefined, { signal: this.#signal });
    this.#sinceMs = performance.now();
  }
}

const turnMs = 10;
const stepsBetweenLooks = 100;
