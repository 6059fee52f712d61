import { setImmediate as nextTurn } from 'node:timers/promises';

/**
 * Long work in short turns of the event loop, between which timers, signals and sockets have theirs.
 *
 * @example
 * const turns = new Turns();
 * for (const part of parts) {
 *   handle(part);
 *   if (turns.isOver) await turns.next();
 * }
 */
export class Turns {
  #sinceMs = performance.now();

  /** True when the turn has been long enough. */
  get isOver(): boolean {
    return performance.now() - this.#sinceMs >= turnMs;
  }

  /** Resolves in the next turn. */
  async next(): Promise<void> {
    await nextTurn();
    this.#sinceMs = performance.now();
  }
}

const turnMs = 10;
