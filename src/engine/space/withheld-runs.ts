import type { RetainedUnits } from './retained-units.js';
import type { Run, SpaceManager } from './space-manager.js';

/** Free runs from a unit on that are not handed out for the time being. They count as retained. */
export class WithheldRuns {
  readonly #space: SpaceManager;
  readonly #retained: RetainedUnits;
  #runs: Run[] = [];

  constructor(space: SpaceManager, retained: RetainedUnits) {
    this.#space = space;
    this.#retained = retained;
  }

  get isEmpty(): boolean {
    return this.#runs.length === 0;
  }

  /** Withholds what is free from `unit` on, and nothing else; nothing at all when that is in too many runs. */
  withholdFrom(unit: number): void {
    this.offerAll();
    const runs: Run[] = [];
    this.#space.forEachFreeRun((start, length) => {
      const from = Math.max(start, unit);
      if (from < start + length) runs.push({ start: from, length: start + length - from });
    });
    if (runs.length > maxRuns) return;
    for (const { start, length } of runs) {
      this.#space.reserve(start, length);
      this.#retained.addRun(start, length);
    }
    this.#runs = runs;
  }

  offerAll(): void {
    for (const { start, length } of this.#runs.splice(0)) {
      this.#retained.removeRun(start, length);
      this.#space.free(start, length);
    }
  }
}

/** More are not worth the time that it takes. */
const maxRuns = 20_000;
