import type { Run } from '../space/index.js';
import type { DataFile } from './data-file.js';
import type { RunReader } from './entry-view.js';
import { type LargeReference, unitsFor } from './large-value.js';
import { pageBytes, sealCopy, sealPage } from './page.js';
import type { PageCache } from './page-cache.js';
import { checksumOf, type RunWriter } from './tree-key.js';
import type { UnitSource } from './unit-source.js';

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
  readonly #units: UnitSource;
  readonly #cache: PageCache;
  #runStart = 0;
  #runUnits = 0;
  #usedUnits = 0;
  #pendingBytes = 0;
  #unsyncedBytes = 0;
  #syncing: Promise<void> | undefined;
  readonly #pending = new Set<Promise<void>>();
  /** Runs being written, by unit: they may have to be read again before that is done. */
  readonly #runsInFlight = new Map<number, Uint8Array>();
  /** Those of them that were released meanwhile. */
  readonly #releasedInFlight = new Set<number>();
  /** Memory of runs that are written: new memory for each would keep the garbage collector busy. */
  readonly #spareBuffers: Buffer[] = [];
  #error: unknown;

  constructor(file: DataFile, units: UnitSource, cache: PageCache, epoch: number) {
    this.#file = file;
    this.#units = units;
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
    this.#keep(isWanted);
  }

  /** Finishes a page that is a copy of another, but for some bytes by which its checksum has changed. */
  sealCopy(change: number, isWanted: boolean): void {
    sealCopy(this.bytes, this.base, this.unit, this.epoch, change);
    this.#keep(isWanted);
  }

  /** Puts the tail of a key into a run of its own. */
  writeRun(bytes: Uint8Array, start: number, end: number): { unit: number; checksum: number } {
    const run = this.#units.take(unitsFor(end - start));
    const tail = Buffer.from(bytes.subarray(start, end)); // a copy: it may be read again before the write has ended
    this.#runsInFlight.set(run.start, tail);
    this.#writeInto(run, tail);
    return { unit: run.start, checksum: checksumOf(bytes, start, end) };
  }

  /** Puts a value into a run of its own, or several. */
  writeValue(bytes: Uint8Array, start: number, end: number): LargeReference {
    const runs = this.#units.takeSpread(unitsFor(end - start));
    let from = start;
    for (const run of runs) {
      const to = Math.min(end, from + run.length * pageBytes);
      this.#writeInto(run, bytes.subarray(from, to));
      from = to;
    }
    return { runs, checksum: checksumOf(bytes, start, end) };
  }

  /**
   * Releases the run of a tail; if it is still being written, once that is done: writes overtake each other, and what is
   * put in its place next must not be overwritten.
   */
  releaseRun(unit: number, byteLength: number): void {
    if (this.#runsInFlight.has(unit)) this.#releasedInFlight.add(unit);
    else this.#units.release(unit, unitsFor(byteLength));
  }

  readRun(unit: number, byteLength: number, checksum: number): Buffer {
    const run = this.#runsInFlight.get(unit);
    return run === undefined ? this.#file.readRun(unit, byteLength, checksum) : Buffer.from(run);
  }

  /**
   * Waits until at most `limitBytes` are being written. Begins a sync from time to time, so that the one before the
   * switch, for which everything waits, finds little left to do.
   */
  async drain(limitBytes = maxPendingBytes): Promise<void> {
    while (this.#pendingBytes > limitBytes && this.#error === undefined) await Promise.race(this.#pending);
    if (this.#unsyncedBytes >= bytesPerSync && this.#syncing === undefined) this.#beginSync();
    if (this.#error !== undefined) throw this.#error;
  }

  /** Writes the rest and releases the units that were not used. @throws the first error of any write */
  async finish(): Promise<void> {
    this.#closeRun();
    await this.drain(0);
    await this.#syncing;
    if (this.#error !== undefined) throw this.#error;
  }

  /** Waits until no write or sync is under way, whether they succeed or not. */
  async settle(): Promise<void> {
    await Promise.all(this.#pending);
    await this.#syncing;
  }

  /** Its error is kept: the system reports a failed write-back only once, so a later sync would succeed. */
  #beginSync(): void {
    this.#unsyncedBytes = 0;
    this.#syncing = this.#file
      .sync()
      .catch((error: unknown) => {
        this.#error ??= error;
      })
      .finally(() => {
        this.#syncing = undefined;
      });
  }

  #keep(isWanted: boolean): void {
    if (isWanted) this.#cache.put(this.unit, this.bytes, this.base);
    this.#usedUnits++;
  }

  #nextRun(): void {
    this.#closeRun();
    const { start, length } = this.#units.takeUpTo(pagesPerRun);
    for (let i = 0; i < length; i++) this.#cache.drop(start + i);
    this.#runStart = start;
    this.#runUnits = length;
    this.#usedUnits = 0;
    this.bytes = this.#spareBuffers.pop() ?? Buffer.allocUnsafeSlow(pagesPerRun * pageBytes);
  }

  #closeRun(): void {
    const { bytes } = this;
    if (this.#usedUnits > 0) {
      const write = this.#write(this.#runStart, bytes.subarray(0, this.#usedUnits * pageBytes));
      void write.then(() => this.#spareBuffers.push(bytes));
    }
    if (this.#usedUnits < this.#runUnits)
      this.#units.release(this.#runStart + this.#usedUnits, this.#runUnits - this.#usedUnits);
    this.#runUnits = 0;
    this.#usedUnits = 0;
  }

  #writeInto({ start, length }: Run, bytes: Uint8Array): void {
    for (let i = 0; i < length; i++) this.#cache.drop(start + i);
    void this.#write(start, bytes);
  }

  /** Resolves when the write has ended; `drain` throws its error. */
  #write(unit: number, bytes: Uint8Array): Promise<void> {
    this.#pendingBytes += bytes.length;
    this.#unsyncedBytes += bytes.length;
    const write: Promise<void> = this.#file
      .write(unit, bytes)
      .catch((error: unknown) => {
        this.#error ??= error;
      })
      .finally(() => {
        this.#pendingBytes -= bytes.length;
        this.#runsInFlight.delete(unit);
        if (this.#releasedInFlight.delete(unit)) this.#units.release(unit, unitsFor(bytes.length));
        this.#pending.delete(write);
      });
    this.#pending.add(write);
    return write;
  }
}

const pagesPerRun = 64;
const bytesPerSync = 64 * 1024 * 1024;
const maxPendingBytes = 4 * 1024 * 1024;
const noBytes = Buffer.alloc(0);
