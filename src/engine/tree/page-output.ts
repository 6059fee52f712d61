import type { VersionedSpace } from '../space/index.js';
import type { DataFile } from './data-file.js';
import type { RunReader } from './entry-view.js';
import { pageBytes, sealPage } from './page.js';
import type { PageCache } from './page-cache.js';
import { checksumOf, type RunWriter } from './tree-key.js';

/**
 * Where the pages and runs of a new state go: units taken from the space in runs, filled in the order in which pages
 * are made, and written run by run. What it writes is on disk after `finish` and a sync; nothing refers to it before.
 */
export class PageOutput implements RunReader, RunWriter {
  /** The page being made. */
  bytes: Buffer = noBytes;
  base = 0;
  unit = 0;
  readonly epoch: number;
  readonly #file: DataFile;
  readonly #space: VersionedSpace;
  readonly #cache: PageCache;
  #runStart = 0;
  #runUnits = 0;
  #usedUnits = 0;
  #pendingBytes = 0;
  readonly #pending = new Set<Promise<void>>();
  /** Runs on their way to the file, by unit: what was just written may have to be read again. */
  readonly #runsInFlight = new Map<number, Uint8Array>();
  #error: unknown;

  constructor(file: DataFile, space: VersionedSpace, cache: PageCache, epoch: number) {
    this.#file = file;
    this.#space = space;
    this.#cache = cache;
    this.epoch = epoch;
  }

  /** Begins a page. */
  begin(): void {
    if (this.#usedUnits === this.#runUnits) this.#nextRun();
    this.unit = this.#runStart + this.#usedUnits;
    this.base = this.#usedUnits * pageBytes;
  }

  /** Finishes the page; `isWanted` keeps it in the cache. */
  seal(level: number, count: number, prefixLength: number, end: number, isWanted: boolean): void {
    const { bytes, base, unit, epoch } = this;
    sealPage(bytes, base, { unit, epoch, level, count, prefixLength, end });
    if (isWanted) this.#cache.put(unit, bytes, base);
    this.#usedUnits++;
  }

  writeRun(bytes: Uint8Array, start: number, end: number): { unit: number; checksum: number } {
    const units = Math.max(1, Math.ceil((end - start) / pageBytes));
    let unit = this.#space.allocate(units);
    if (unit < 0) {
      this.#grow(units);
      unit = this.#space.allocate(units);
    }
    for (let i = 0; i < units; i++) this.#cache.drop(unit + i);
    const run = bytes.subarray(start, end);
    this.#runsInFlight.set(unit, run);
    this.#write(unit, run);
    return { unit, checksum: checksumOf(bytes, start, end) };
  }

  readRun(unit: number, byteLength: number, checksum: number): Buffer {
    const run = this.#runsInFlight.get(unit);
    return run === undefined ? this.#file.readRun(unit, byteLength, checksum) : Buffer.from(run);
  }

  /** Waits until no more than a bound of bytes is on its way to the file. */
  async drain(limitBytes = maxPendingBytes): Promise<void> {
    while (this.#pendingBytes > limitBytes && this.#error === undefined) await Promise.race(this.#pending);
    if (this.#error !== undefined) throw this.#error;
  }

  /** Writes what is left and gives back the units that were not used. */
  async finish(): Promise<void> {
    this.#closeRun();
    await this.drain(0);
  }

  /** Waits for what is on its way, whatever becomes of it. */
  async settle(): Promise<void> {
    await Promise.all(this.#pending);
  }

  #nextRun(): void {
    this.#closeRun();
    let units = runUnits;
    let start = this.#space.allocate(units);
    if (start < 0 && this.#space.freeUnits * 3 < this.#space.liveUnits + smallFileUnits) {
      this.#grow(units);
      start = this.#space.allocate(units);
    }
    // Much is free but scattered: shorter runs mean more writes, a longer file would mean waste.
    while (start < 0 && units > 1) {
      units >>>= 2;
      start = this.#space.allocate(units);
    }
    if (start < 0) {
      this.#grow(runUnits);
      units = runUnits;
      start = this.#space.allocate(units);
    }
    for (let i = 0; i < units; i++) this.#cache.drop(start + i);
    this.#runStart = start;
    this.#runUnits = units;
    this.#usedUnits = 0;
    this.bytes = Buffer.allocUnsafeSlow(units * pageBytes);
  }

  #closeRun(): void {
    const { bytes } = this;
    if (this.#usedUnits > 0) this.#write(this.#runStart, bytes.subarray(0, this.#usedUnits * pageBytes));
    if (this.#usedUnits < this.#runUnits)
      this.#space.release(this.#runStart + this.#usedUnits, this.#runUnits - this.#usedUnits);
    this.#runUnits = 0;
    this.#usedUnits = 0;
  }

  /** Makes room for at least `units` in one run, and somewhat more the larger the file is. */
  #grow(units: number): void {
    const more = Math.min(maxGrowthUnits, Math.max(minGrowthUnits, this.#space.units >>> 3));
    this.#space.grow(this.#space.units + Math.max(units, more));
  }

  #write(unit: number, bytes: Uint8Array): void {
    this.#pendingBytes += bytes.length;
    const write: Promise<void> = this.#file
      .write(unit, bytes)
      .catch((error: unknown) => {
        this.#error ??= error;
      })
      .finally(() => {
        this.#pendingBytes -= bytes.length;
        this.#runsInFlight.delete(unit);
        this.#pending.delete(write);
      });
    this.#pending.add(write);
  }
}

const runUnits = 64;
const smallFileUnits = 1024;
const minGrowthUnits = 256;
const maxGrowthUnits = 16_384;
const maxPendingBytes = 4 * 1024 * 1024;
const noBytes = Buffer.alloc(0);
