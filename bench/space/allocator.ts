import { type Run, SpaceManager } from '../../src/engine/space/index.js';

/** What the workloads need of an allocator. A handle names the run for `free`. */
export interface Allocator {
  readonly name: string;
  /** Memory of the allocator's own state at its peak. */
  readonly byteLength: number;
  /** A handle, or -1. */
  allocate(length: number): number;
  free(handle: number, length: number): void;
}

/** Ours. A handle is the run's first unit. */
export class SpaceManagerAllocator implements Allocator {
  readonly name = 'space manager';
  readonly space: SpaceManager;

  constructor(units: number, maxRunUnits: number) {
    this.space = new SpaceManager(units, { maxRunUnits });
  }

  get byteLength(): number {
    return this.space.byteLength;
  }

  allocate(length: number): number {
    return this.space.allocate(length);
  }

  free(handle: number, length: number): void {
    this.space.free(handle, length);
  }
}

/** Ours, with up to four runs for a record when no run is long enough. */
export class SpreadingAllocator implements Allocator {
  readonly name = 'space manager, up to four runs';
  readonly space: SpaceManager;
  readonly #spread = new Map<number, Run[]>();
  spreadRecords = 0;

  constructor(units: number, maxRunUnits: number) {
    this.space = new SpaceManager(units, { maxRunUnits });
  }

  get byteLength(): number {
    return this.space.byteLength;
  }

  allocate(length: number): number {
    const start = this.space.allocate(length);
    if (start >= 0) return start;
    const runs = this.space.allocateRuns(length, 4);
    if (runs === undefined) return -1;
    this.spreadRecords++;
    this.#spread.set(runs[0].start, runs);
    return runs[0].start;
  }

  free(handle: number, length: number): void {
    const runs = this.#spread.get(handle);
    if (runs === undefined) {
      this.space.free(handle, length);
      return;
    }
    this.#spread.delete(handle);
    for (const run of runs) this.space.free(run.start, run.length);
  }
}

/** Does nothing: what a workload costs by itself. */
export class NoAllocator implements Allocator {
  readonly name = 'none';
  readonly byteLength = 0;
  #next = 0;

  allocate(length: number): number {
    this.#next = (this.#next + length) & 0xffffff;
    return this.#next;
  }

  free(): void {}
}
