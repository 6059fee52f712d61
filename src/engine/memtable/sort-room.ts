import type { MemtableMemory } from './memtable-memory.js';

/**
 * Memory for sorting up to `capacity` nodes: their ids, and of the key of each the eight bytes behind the prefix that all have
 * in common, as two signed words that are in the order of the bytes.
 */
export class SortRoom {
  readonly capacity: number;
  readonly ids: Int32Array;
  /** The first four of the eight bytes, and the others. */
  readonly high: Int32Array;
  readonly low: Int32Array;
  /** Places in the arrays above, in order; and where the next pass puts them. */
  order: Int32Array;
  spare: Int32Array;
  /** A counter for each value of a digit. */
  readonly counters: Int32Array;
  readonly #memory: MemtableMemory;
  readonly #words: Int32Array;

  constructor(memory: MemtableMemory, capacity: number) {
    this.capacity = capacity;
    this.#memory = memory;
    const digits = 1 << digitBits(capacity);
    this.#words = memory.takeWords(arrays * capacity + digits);
    const part = (i: number): Int32Array => this.#words.subarray(i * capacity, (i + 1) * capacity);
    [this.ids, this.high, this.low, this.order, this.spare] = [part(0), part(1), part(2), part(3), part(4)];
    this.counters = this.#words.subarray(arrays * capacity);
  }

  get byteLength(): number {
    return this.#words.byteLength;
  }

  swap(): void {
    const { order } = this;
    this.order = this.spare;
    this.spare = order;
  }

  /** Nobody uses it any more. */
  giveBack(): void {
    this.#memory.giveWords(this.#words);
  }
}

/** By how many bits so many are sorted in one pass. */
export const digitBits = (count: number): number => (count < manyNodes ? 8 : 16);

const arrays = 5;
/** From so many on half the passes are worth 2^16 counters. */
const manyNodes = 100_000;
