import type { LogFollower } from './log-follower.js';
import type { MigrationEnd } from './migration-options.js';

/** Tells when a migration whose keys are all covered has come to its end. */
export class FinishLine {
  readonly #end: MigrationEnd;
  /** Where the log must be for `caught-up`. */
  #goal: number | undefined;
  #idleSinceMs = 0;

  constructor(end: MigrationEnd) {
    this.#end = end;
  }

  /** Something was written: for `quiet` the time begins anew. */
  moved(): void {
    this.#idleSinceMs = performance.now();
  }

  async isReached(follower: LogFollower, signal: AbortSignal): Promise<boolean> {
    if (this.#end.kind === 'never') return false;
    if (this.#end.kind === 'caught-up') {
      if (this.#goal === undefined) {
        await follower.pull(signal);
        this.#goal = Math.max(follower.latestSequence, follower.sequence);
      }
      return follower.sequence >= this.#goal;
    }
    const isLevel = follower.isIdle && follower.sequence >= follower.latestSequence;
    if (!isLevel || this.#idleSinceMs === 0) {
      this.moved();
      return false;
    }
    return performance.now() - this.#idleSinceMs >= this.#end.quietMs;
  }
}
