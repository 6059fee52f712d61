import type { Allocator } from './allocator.js';

/** The classical buddy system: sizes are powers of two, a block's buddy is found by arithmetic; a node a block. */
export class Buddy implements Allocator {
  readonly name = 'buddy system';
  readonly #free: Set<number>[];
  #peakBytes = 0;
  #blocks = 0;

  constructor(units: number) {
    const orders = 32 - Math.clz32(units);
    this.#free = Array.from({ length: orders }, () => new Set<number>());
    this.#free[orders - 1].add(0);
  }

  /** Counted as the article does: 28 bytes for each block. */
  get byteLength(): number {
    return this.#peakBytes;
  }

  allocate(length: number): number {
    const order = orderOf(length);
    let from = order;
    while (from < this.#free.length && this.#free[from].size === 0) from++;
    if (from >= this.#free.length) return -1;
    let block = this.#free[from].values().next().value ?? 0;
    this.#free[from].delete(block);
    for (; from > order; from--) {
      block *= 2;
      this.#free[from - 1].add(block + 1);
      this.#count(1);
    }
    this.#count(1);
    return block * 2 ** order;
  }

  free(handle: number, length: number): void {
    let order = orderOf(length);
    let block = handle / 2 ** order;
    this.#count(-1);
    while (order < this.#free.length - 1 && this.#free[order].delete(block ^ 1)) {
      block >>>= 1;
      order++;
      this.#count(-1);
    }
    this.#free[order].add(block);
  }

  #count(change: number): void {
    this.#blocks += change;
    this.#peakBytes = Math.max(this.#peakBytes, this.#blocks * 28);
  }
}

/** The order of the smallest power of two that holds `length`. */
export const orderOf = (length: number): number => (length <= 1 ? 0 : 32 - Math.clz32(length - 1));
