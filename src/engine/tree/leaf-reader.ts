import type { DataFile } from './data-file.js';
import { childAt } from './entry-view.js';
import { countOf, pageBytes } from './page.js';
import type { PageCache } from './page-cache.js';

/**
 * Brings leaves into memory that belongs to a cursor, which hands out views of it. A walk bypasses the cache, so that a
 * long one does not evict what others use; the longer it lasts, the more adjacent leaves it reads at once. Memory of
 * which no view was handed out is reused: new memory for each read would keep the garbage collector busy.
 */
export class LeafReader {
  /** The leaf: in these bytes from `base` on. */
  bytes: Buffer = noBytes;
  base = 0;
  /** How many leaves the walk may read at once by now. */
  mostAtOnce = 1;
  readonly #file: DataFile;
  readonly #cache: PageCache;
  /** What was read, and from which units. */
  #read: Buffer = noBytes;
  #firstUnit = 0;
  #units = 0;
  /** Memory for leaves that are copied from the cache, and how much of it is used. */
  #copies: Buffer = noBytes;
  #copied = 0;
  /** Whether views of them were handed out. */
  #isReadGivenOut = false;
  #areCopiesGivenOut = false;

  constructor(file: DataFile, cache: PageCache) {
    this.#file = file;
    this.#cache = cache;
  }

  /** Takes the leaf that the cache points at. */
  copyFromCache(): void {
    if (this.#copied === this.#copies.length) {
      if (this.#areCopiesGivenOut || this.#copies.length < this.mostAtOnce * pageBytes)
        this.#copies = Buffer.allocUnsafeSlow(this.mostAtOnce * pageBytes);
      this.#areCopiesGivenOut = false;
      this.#copied = 0;
      this.#walkOn();
    }
    const { bytes, base } = this.#cache;
    bytes.copy(this.#copies, this.#copied, base, base + pageBytes);
    this.bytes = this.#copies;
    this.base = this.#copied;
    this.#copied += pageBytes;
  }

  /** Takes the leaf in a unit, with which a walk begins that wants `adjacent` of them. @throws `STORE_CORRUPT` */
  take(unit: number, adjacent: number, isReverse: boolean): void {
    if (unit < this.#firstUnit || unit >= this.#firstUnit + this.#units) {
      if (this.#cache.peek(unit)) {
        this.copyFromCache();
        return;
      }
      this.#units = 0; // until the read has succeeded
      if (this.#isReadGivenOut || this.#read.length < adjacent * pageBytes)
        this.#read = Buffer.allocUnsafeSlow(adjacent * pageBytes);
      this.#isReadGivenOut = false;
      const firstUnit = isReverse ? unit - adjacent + 1 : unit;
      this.#file.readPages(firstUnit, adjacent, this.#read);
      this.#firstUnit = firstUnit;
      this.#units = adjacent;
      this.#walkOn();
    }
    this.bytes = this.#read;
    this.base = (unit - this.#firstUnit) * pageBytes;
    this.#file.checkPage(unit, this.bytes, this.base);
  }

  /** Views of the leaf were handed out: its bytes are never written again. */
  giveOut(): void {
    if (this.bytes === this.#read) this.#isReadGivenOut = true;
    else this.#areCopiesGivenOut = true;
  }

  #walkOn(): void {
    this.mostAtOnce = Math.min(mostLeavesAtOnce, this.mostAtOnce * 2);
  }
}

/**
 * From the child at a place of a branch page on, or back: how many children lie in units that follow each other as they
 * do, at most `most`.
 */
export const adjacentChildren = (
  bytes: Uint8Array,
  base: number,
  place: number,
  most: number,
  isReverse: boolean,
): number => {
  const end = Math.min(most, isReverse ? place + 1 : countOf(bytes, base) - place);
  const step = isReverse ? -1 : 1;
  let unit = childAt(bytes, base, place);
  let count = 1;
  while (count < end && childAt(bytes, base, place + step * count) === unit + step) {
    unit += step;
    count++;
  }
  return count;
};

const mostLeavesAtOnce = 16;
const noBytes = Buffer.alloc(0);
