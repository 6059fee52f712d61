import type { Allocator } from './allocator.js';
import { orderOf } from './buddy.js';

/** The buddy system with its free sets as bitmaps: for each order one bit a block, and two summary levels. */
export class BitmapBuddy implements Allocator {
  readonly name = 'bitmap buddy';
  readonly #levels: Int32Array[][] = [];
  readonly #counts: Int32Array;

  constructor(units: number) {
    const orders = 32 - Math.clz32(units);
    this.#counts = new Int32Array(orders);
    for (let order = 0; order < orders; order++) {
      const words = ((units >>> order) + 31) >>> 5;
      const summary = (words + 31) >>> 5;
      this.#levels.push([words, summary, (summary + 31) >>> 5].map((length) => new Int32Array(length)));
    }
    this.#put(orders - 1, 0);
  }

  get byteLength(): number {
    return this.#levels.flat().reduce((total, level) => total + level.byteLength, 0);
  }

  allocate(length: number): number {
    const order = orderOf(length);
    let from = order;
    while (from < this.#counts.length && this.#counts[from] === 0) from++;
    if (from >= this.#counts.length) return -1;
    let block = this.#first(from);
    this.#remove(from, block);
    for (; from > order; from--) {
      block <<= 1;
      this.#put(from - 1, block + 1);
    }
    return block * 2 ** order;
  }

  free(handle: number, length: number): void {
    let order = orderOf(length);
    let block = handle / 2 ** order;
    while (order < this.#counts.length - 1 && this.#has(order, block ^ 1)) {
      this.#remove(order, block ^ 1);
      block >>>= 1;
      order++;
    }
    this.#put(order, block);
  }

  #has(order: number, block: number): boolean {
    return ((this.#levels[order][0][block >>> 5] >>> (block & 31)) & 1) !== 0;
  }

  #put(order: number, block: number): void {
    this.#counts[order]++;
    let at = block;
    for (const level of this.#levels[order]) {
      const before = level[at >>> 5];
      level[at >>> 5] = before | (1 << (at & 31));
      if (before !== 0) return;
      at >>>= 5;
    }
  }

  #remove(order: number, block: number): void {
    this.#counts[order]--;
    let at = block;
    for (const level of this.#levels[order]) {
      level[at >>> 5] &= ~(1 << (at & 31));
      if (level[at >>> 5] !== 0) return;
      at >>>= 5;
    }
  }

  #first(order: number): number {
    const [bits, summary, top] = this.#levels[order];
    let at = 0;
    while (top[at] === 0) at++;
    for (const level of [top, summary, bits]) at = (at << 5) + (31 - Math.clz32(level[at] & -level[at]));
    return at;
  }
}
