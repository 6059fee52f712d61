import type { Changes, KeyRange } from '../../../src/engine/tree/index.js';

/** Changes from a list: a value, or undefined for a deletion. */
export class ListChanges implements Changes {
  readonly ranges: readonly KeyRange[];
  readonly #list: readonly (readonly [Buffer, Buffer | undefined])[];
  #at = 0;

  constructor(list: Iterable<readonly [Buffer, Buffer | undefined]>, ranges: readonly KeyRange[] = []) {
    this.#list = [...list].sort(([a], [b]) => Buffer.compare(a, b));
    this.ranges = ranges;
  }

  get valid(): boolean {
    return this.#at < this.#list.length;
  }

  get keyBytes(): Buffer {
    return this.#list[this.#at]?.[0] ?? empty;
  }

  readonly keyStart = 0;
  get keyEnd(): number {
    return this.keyBytes.length;
  }

  get isDeleted(): boolean {
    return this.#list[this.#at]?.[1] === undefined;
  }

  get valueBytes(): Buffer {
    return this.#list[this.#at]?.[1] ?? empty;
  }

  readonly valueStart = 0;
  get valueEnd(): number {
    return this.valueBytes.length;
  }

  next(): void {
    this.#at++;
  }

  mark(): number {
    return this.#at;
  }

  reset(mark: number): void {
    this.#at = mark;
  }
}

const empty = Buffer.alloc(0);
