import type { Allocator } from './allocator.js';

/**
 * How the fill moves: `swap` constant, `batch` in steps of 2 %, `wave` by 10 points; `drift` is a wave whose mean size
 * goes from 1 to 0.6, back to 1 and to 1.6 times the mean.
 */
export type Mode = 'swap' | 'batch' | 'wave' | 'drift';

export interface WorkloadOptions {
  readonly units: number;
  readonly unitBytes: number;
  readonly mode: Mode;
  /** Highest fill, as a share of all units. */
  readonly fill: number;
  readonly seed: number;
  /** Operations over which `drift` runs once through its sizes. */
  readonly driftOperations?: number;
}

/** Record sizes: log-normal around 100 KiB, at most 5 MB. */
const meanRecordBytes = 102_400;
export const maxRecordBytes = 5 * 1024 * 1024;

/** Allocations and frees of records by random choice, the same for every allocator with the same seed. */
export class Workload {
  readonly allocator: Allocator;
  failures = 0;
  #usedUnits = 0;
  #usedBytes = 0;
  #live = 0;
  #isDraining = false;
  #operations = 0;
  readonly #next: () => number;
  readonly #sizes: Uint32Array;
  readonly #unitBytes: number;
  readonly #unitShift: number;
  readonly #low: number;
  readonly #high: number;
  /** Handle and bytes of each live record, side by side. */
  readonly #table: Uint32Array;
  readonly #capacity: number;
  /** The same of records that are chosen to be freed next; those from `#chosenAt` on are not freed yet. */
  readonly #chosen = new Uint32Array(2 * recordsAhead);
  #chosenAt = 0;
  #sizeAt = 0;
  readonly #units: number;
  readonly #driftOperations: number;

  constructor(allocator: Allocator, options: WorkloadOptions) {
    this.allocator = allocator;
    this.#next = generator(options.seed);
    this.#sizes = recordSizes(options.seed);
    this.#unitBytes = options.unitBytes;
    this.#unitShift = Math.log2(options.unitBytes);
    this.#units = options.units;
    this.#high = Math.floor(options.units * options.fill);
    const swing = { swap: 0, batch: 0.02, wave: 0.1, drift: 0.1 }[options.mode];
    this.#low = Math.floor(options.units * (options.fill - swing));
    this.#driftOperations = options.mode === 'drift' ? (options.driftOperations ?? 0) : 0;
    this.#capacity = capacityFor(options.units, options.unitBytes) * (options.mode === 'drift' ? 2 : 1);
    this.#table = new Uint32Array(2 * this.#capacity);
  }

  get records(): number {
    return this.#live + recordsAhead - this.#chosenAt / 2;
  }

  /** Allocates until the highest fill is reached; false when the allocator gives up first. */
  fill(): boolean {
    let failed = 0;
    while (this.#usedUnits < this.#high) if (!this.#insert() && ++failed > 1000) return false;
    this.#choose();
    return true;
  }

  /** Allocates until the first failure: the share of all bytes that records then occupy, rounding included as loss. */
  fillToFailure(): number {
    while (this.#insert());
    return this.#usedBytes / (this.#units * this.#unitBytes);
  }

  /** `operations` allocations and frees. */
  run(operations: number): void {
    for (let i = 0; i < operations; i++) this.step();
  }

  step(): void {
    if (this.#isDraining && this.#usedUnits <= this.#low) this.#isDraining = false;
    else if (!this.#isDraining && this.#usedUnits >= this.#high) this.#isDraining = true;
    this.#operations++;
    if (this.#isDraining) this.#remove();
    else if (!this.#insert()) {
      this.failures++;
      this.#remove();
    }
  }

  #insert(): boolean {
    let bytes = this.#sizes[this.#sizeAt++ & (this.#sizes.length - 1)];
    if (this.#driftOperations > 0)
      bytes = Math.min(maxRecordBytes, Math.ceil(bytes * driftAt(this.#operations / this.#driftOperations)));
    if (this.#live === this.#capacity) return false;
    const length = this.#lengthOf(bytes);
    const handle = this.allocator.allocate(length);
    if (handle < 0) return false;
    const at = 2 * this.#live++;
    this.#table[at] = handle;
    this.#table[at + 1] = bytes;
    this.#usedUnits += length;
    this.#usedBytes += bytes;
    return true;
  }

  #remove(): void {
    const handle = this.#chosen[this.#chosenAt];
    const bytes = this.#chosen[this.#chosenAt + 1];
    this.#chosenAt += 2;
    if (this.#chosenAt === this.#chosen.length) this.#choose();
    const length = this.#lengthOf(bytes);
    this.allocator.free(handle, length);
    this.#usedUnits -= length;
    this.#usedBytes -= bytes;
  }

  /** Takes random records out of the table, to be freed next. */
  #choose(): void {
    const table = this.#table;
    const chosen = this.#chosen;
    for (let i = 0; i < chosen.length; i += 2) {
      const at = 2 * Math.floor((this.#next() / 2 ** 32) * this.#live);
      const last = 2 * --this.#live;
      chosen[i] = table[at];
      chosen[i + 1] = table[at + 1];
      table[at] = table[last];
      table[at + 1] = table[last + 1];
    }
    this.#chosenAt = 0;
  }

  #lengthOf(bytes: number): number {
    return (bytes + this.#unitBytes - 1) >>> this.#unitShift;
  }
}

/**
 * So many records are chosen at a time, in a loop of their own. Where they stand in the table is a wait for memory each,
 * as long as what an allocator takes for an operation. Chosen one by one, between operations, those waits pass while the
 * processor waits for the allocator, too, and hide a part of it; in the loop they cost the same whatever the allocator,
 * and so are taken off with the workload's own cost. Few enough to stand behind the 99th percentile of one operation.
 */
const recordsAhead = 256;

/** More records than ever fit. */
export const capacityFor = (units: number, unitBytes: number): number =>
  Math.ceil((units * unitBytes * 1.1) / meanRecordBytes) + 1000;

/** The factor on sizes at a share of the way through a drift. */
const driftAt = (share: number): number => {
  const at = Math.min(share, 1) * 3;
  if (at < 1) return 1 - 0.4 * at;
  if (at < 2) return 0.6 + 0.4 * (at - 1);
  return 1 + 0.6 * (at - 2);
};

/** sfc32: small, fast, seeded. */
const generator = (seed: number): (() => number) => {
  let a = 0x9e3779b9 | 0;
  let b = 0x243f6a88 | 0;
  let c = 0xb7e15162 | 0;
  let d = seed | 0;
  const next = (): number => {
    const mixed = (((a + b) | 0) + d) | 0;
    d = (d + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (c << 21) | (c >>> 11);
    c = (c + mixed) | 0;
    return mixed >>> 0;
  };
  for (let i = 0; i < 20; i++) next();
  return next;
};

const recordSizes = (seed: number): Uint32Array => {
  const next = generator(seed + 1);
  const sigma = 0.5;
  const mu = Math.log(meanRecordBytes) - (sigma * sigma) / 2;
  return Uint32Array.from({ length: 1 << 20 }, () => {
    const radius = Math.sqrt(-2 * Math.log((next() + 1) / 2 ** 32));
    const normal = radius * Math.cos((2 * Math.PI * next()) / 2 ** 32);
    return Math.min(maxRecordBytes, Math.max(1, Math.round(Math.exp(mu + sigma * normal))));
  });
};
