import { clearRun, forEachRun, isRunClear, setRun } from './bit-runs.js';
import { forEachPage } from './bitmap-pages.js';

/** Units that are not free and that the newest state does not use: bits by page of the bitmap, and their number. */
export class RetainedUnits {
  readonly #pageShift: number;
  readonly #pageUnits: number;
  readonly #pages = new Map<number, Int32Array>();
  #units = 0;

  /** By pages of 2^`pageShift` units. */
  constructor(pageShift: number) {
    this.#pageShift = pageShift;
    this.#pageUnits = 2 ** pageShift;
  }

  get units(): number {
    return this.#units;
  }

  /** Pages that have any; each takes memory. */
  get pageCount(): number {
    return this.#pages.size;
  }

  /** A page's bits, 1 = retained; undefined when it has none. Borrowed. */
  page(page: number): Int32Array | undefined {
    return this.#pages.get(page);
  }

  /** Adds units of a page, none of which is there yet. */
  add(page: number, at: number, count: number): void {
    let bits = this.#pages.get(page);
    if (bits === undefined) {
      bits = new Int32Array(this.#pageUnits >>> 5);
      this.#pages.set(page, bits);
    }
    setRun(bits, at, count);
    this.#units += count;
  }

  addRun(start: number, length: number): void {
    forEachPage(start, length, this.#pageShift, (page, from, to) =>
      this.add(page, from - page * this.#pageUnits, to - from),
    );
  }

  /** Removes units, all of which are there. */
  removeRun(start: number, length: number): void {
    forEachPage(start, length, this.#pageShift, (page, from, to) => {
      const bits = this.#pages.get(page);
      if (bits !== undefined) clearRun(bits, from - page * this.#pageUnits, to - from);
    });
    this.#units -= length;
  }

  /** Removes the units that are 1 in `removed`, all of which are there, and calls `visit` for each run of them. */
  removePage(page: number, removed: Int32Array, visit: (at: number, length: number) => void): void {
    const bits = this.#pages.get(page);
    if (bits === undefined) return;
    let isEmpty = true;
    for (let i = 0; i < removed.length; i++) {
      bits[i] &= ~removed[i];
      if (bits[i] !== 0) isEmpty = false;
    }
    if (isEmpty) this.#pages.delete(page);
    forEachRun(removed, this.#pageUnits, (at, length) => {
      this.#units -= length;
      visit(at, length);
    });
  }

  /** True when none of the run's units is retained. */
  isRunClear(start: number, length: number): boolean {
    for (let from = start, end = start + length; from < end && this.#pages.size > 0; ) {
      const page = from >>> this.#pageShift;
      const base = page * this.#pageUnits;
      const to = Math.min(end, base + this.#pageUnits);
      const bits = this.#pages.get(page);
      if (bits !== undefined && !isRunClear(bits, from - base, to - from)) return false;
      from = to;
    }
    return true;
  }

  /** Calls `visit` for every run, page by page. */
  forEachRun(visit: (page: number, at: number, length: number) => void): void {
    for (const [page, bits] of this.#pages)
      forEachRun(bits, this.#pageUnits, (at, length) => visit(page, at, length));
  }
}
