import type { DataFile } from './data-file.js';
import { pageBytes } from './page.js';
import type { PageCache } from './page-cache.js';

/**
 * The leaves of the old tree as a merge reads them: from the cache if they are in it, otherwise past it, since a merge
 * must not evict what readers use. More and more adjacent leaves are read at once as long as all of them are wanted.
 */
export class LeafWindow {
  /** After `take`: the leaf, in these bytes from `base` on, until the next one is taken. */
  bytes: Buffer;
  base = 0;
  isCached = false;
  readonly #file: DataFile;
  readonly #cache: PageCache;
  readonly #pages = Buffer.allocUnsafeSlow(mostLeavesAtOnce * pageBytes);
  #unit = 0;
  #firstUnit = 0;
  #units = 0;
  #taken = 0;
  #mostAtOnce = 1;

  constructor(file: DataFile, cache: PageCache) {
    this.#file = file;
    this.#cache = cache;
    this.bytes = this.#pages;
  }

  /**
   * Takes the leaf in a unit and checks it.
   * @param adjacent how many leaves, at most `most`, are adjacent from there on and will probably be wanted
   * @throws TailraceError `STORE_CORRUPT` | `FILE_INACCESSIBLE`
   */
  take(unit: number, adjacent: (most: number) => number): void {
    this.takeUnchecked(unit, adjacent);
    this.check();
  }

  /** As `take`, but only the header is checked. */
  takeUnchecked(unit: number, adjacent: (most: number) => number): void {
    this.isCached = this.#cache.peek(unit);
    if (this.isCached) {
      this.bytes = this.#cache.bytes;
      this.base = this.#cache.base;
      return;
    }
    if (unit < this.#firstUnit || unit >= this.#firstUnit + this.#units) this.#read(unit, adjacent);
    this.bytes = this.#pages;
    this.base = (unit - this.#firstUnit) * pageBytes;
    this.#file.checkHeader(unit, this.bytes, this.base);
    this.#unit = unit;
    this.#taken++;
  }

  /** Checks the leaf that was taken. @throws TailraceError `STORE_CORRUPT` */
  check(): void {
    if (!this.isCached) this.#file.checkPage(this.#unit, this.bytes, this.base);
  }

  #read(unit: number, adjacent: (most: number) => number): void {
    const wereAllWanted = this.#taken >= this.#units;
    this.#mostAtOnce = wereAllWanted ? Math.min(mostLeavesAtOnce, this.#mostAtOnce * 2) : 1;
    this.#units = 0; // until the read has succeeded
    const units = adjacent(this.#mostAtOnce);
    this.#file.readPages(unit, units, this.#pages);
    this.#firstUnit = unit;
    this.#units = units;
    this.#taken = 0;
  }
}

const mostLeavesAtOnce = 16;
