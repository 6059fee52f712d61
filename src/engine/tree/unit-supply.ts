import { TailraceError } from '../../errors/index.js';
import type { Run, VersionedSpace } from '../space/index.js';
import { maxLargeRuns } from './large-value.js';
import { pageBytes } from './page.js';
import type { UnitSource } from './unit-source.js';

/**
 * Takes units for what is written, from the free ones or behind the present end of the data file, which may not
 * become longer than a limit.
 */
export class UnitSupply implements UnitSource {
  readonly #space: VersionedSpace;
  readonly #maxUnits: number;

  constructor(space: VersionedSpace, maxUnits: number) {
    this.#space = space;
    this.#maxUnits = maxUnits;
  }

  /** One run. @throws `SPACE_EXHAUSTED` */
  take(units: number): Run {
    const start = this.#space.allocate(units);
    if (start >= 0) return { start, length: units };
    return this.#takeAtEnd(units) ?? this.#refuse(units);
  }

  /**
   * One run, or several when there is none of that length and the file may not become longer, or should not, because
   * much of it is free. @throws `SPACE_EXHAUSTED`
   */
  takeSpread(units: number): readonly Run[] {
    const space = this.#space;
    const start = space.allocate(units);
    if (start >= 0) return [{ start, length: units }];
    const spread = this.#isScattered ? space.allocateRuns(units, maxLargeRuns) : undefined;
    if (spread !== undefined) return spread;
    const atEnd = this.#takeAtEnd(units);
    return atEnd !== undefined ? [atEnd] : (space.allocateRuns(units, maxLargeRuns) ?? this.#refuse(units));
  }

  /** One run of `most` units, or a shorter one rather than a longer file where much is free. @throws `SPACE_EXHAUSTED` */
  takeUpTo(most: number): Run {
    const units = this.#isNearlyFull ? Math.min(most, unitsWhenNearlyFull) : most;
    const start = this.#space.allocate(units);
    if (start >= 0) return { start, length: units };
    const atEnd = this.#isScattered ? undefined : this.#takeAtEnd(units);
    return atEnd ?? this.#takeShorter(units) ?? this.#takeAtEnd(units) ?? this.#refuse(1);
  }

  /**
   * Runs of up to `most` units, as `takeUpTo` takes them: the first, and as many more as make up about `wanted` units,
   * as far as they are free and not rare. @throws `SPACE_EXHAUSTED`
   */
  takeRuns(most: number, wanted: number): Run[] {
    const runs = [this.takeUpTo(most)];
    for (let left = wanted - runs[0].length; left > 0 && runs.length < mostRuns && !this.#isNearlyFull; ) {
      const start = this.#space.allocate(most);
      const run = start >= 0 ? { start, length: most } : this.#isScattered && this.#takeShorter(most);
      if (!run) break;
      runs.push(run);
      left -= run.length;
    }
    return runs;
  }

  release(start: number, length: number): void {
    this.#space.release(start, length);
  }

  /** Makes sure that so many units are free, side by side or not. @throws `SPACE_EXHAUSTED` */
  require(units: number): void {
    if (this.#space.freeUnits < units) this.#grow(units);
    if (this.#space.freeUnits < units) this.#refuse(units);
  }

  /** Adds free units at the end, about so many. @throws `SPACE_EXHAUSTED` */
  lengthen(units: number): void {
    if (!this.#grow(units)) this.#refuse(units);
  }

  /** Makes room for at least `units` in one run, and somewhat more the larger the file is; false when it cannot. */
  #grow(units: number): boolean {
    const { units: present } = this.#space;
    const more = Math.min(maxGrowthUnits, Math.max(minGrowthUnits, present >>> 3));
    const wanted = Math.min(this.#maxUnits, present + Math.max(units, more));
    if (wanted <= present) return false;
    this.#space.grow(wanted);
    return true;
  }

  #takeAtEnd(units: number): Run | undefined {
    if (!this.#grow(units)) return undefined;
    const start = this.#space.allocate(units);
    return start < 0 ? undefined : { start, length: units };
  }

  #takeShorter(units: number): Run | undefined {
    for (let length = units; length > 1; ) {
      length >>>= 1;
      const start = this.#space.allocate(length);
      if (start >= 0) return { start, length };
    }
    return undefined;
  }

  /** Much is free, in short runs: more writes are better than a file that grows. */
  get #isScattered(): boolean {
    const { freeUnits, liveUnits } = this.#space;
    return freeUnits * 3 >= liveUnits + smallFileUnits;
  }

  /** Long runs are kept for large values then: pages fill the gaps. */
  get #isNearlyFull(): boolean {
    const { units, freeUnits } = this.#space;
    return units === this.#maxUnits && freeUnits * 16 < units;
  }

  #refuse(units: number): never {
    const { freeUnits, liveUnits, retainedUnits } = this.#space;
    const limitBytes = this.#maxUnits * pageBytes;
    throw new TailraceError(
      'SPACE_EXHAUSTED',
      `the data file may not exceed ${limitBytes} bytes, and has no room for ${units * pageBytes} bytes more`,
      {
        context: {
          limitBytes,
          freeBytes: freeUnits * pageBytes,
          liveBytes: liveUnits * pageBytes,
          heldBytes: retainedUnits * pageBytes,
        },
        remedy:
          'Delete checkpoints, close snapshots, or open the store with a larger maxDataBytes (serve --data-max).',
      },
    );
  }
}

/** Of one question: taking them keeps the main thread for less than a millisecond. */
const mostRuns = 256;
const smallFileUnits = 1024;
const unitsWhenNearlyFull = 2;
const minGrowthUnits = 256;
const maxGrowthUnits = 16_384;
