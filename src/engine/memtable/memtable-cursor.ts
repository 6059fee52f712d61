import { equalBytes } from '../../bytes/index.js';
import type { Memtable } from './memtable.js';
import { OrderedPlace } from './ordered-index.js';

/**
 * Walks what a reader at one sequence sees in a memtable, deletions included. When the memtable has changed
 * (`isStale`) the cursor must be sought anew; its own key stays what it was.
 */
export class MemtableCursor {
  keyBytes: Buffer = Buffer.allocUnsafe(64);
  readonly keyStart = 0;
  keyEnd = 0;
  valid = false;
  isDeleted = false;
  readonly #table: Memtable;
  readonly #sequence: number;
  readonly #place = new OrderedPlace();
  #version = -1;
  #key: Buffer = noBytes;
  #value: Buffer = noBytes;

  constructor(table: Memtable, sequence: number) {
    this.#table = table;
    this.#sequence = sequence;
  }

  get isStale(): boolean {
    return this.#version !== this.#table.version;
  }

  seekFirst(): void {
    this.#table.seek(undefined, this.#place);
    this.#settle(false);
  }

  seekLast(): void {
    this.#table.seekEnd(this.#place);
    this.#table.step(this.#place, true);
    this.#settle(true);
  }

  /** To the first key that is not less. */
  seek(key: Uint8Array): void {
    this.#table.seek(key, this.#place);
    this.#settle(false);
  }

  /** To the last key that is less, or, when `isInclusive`, not greater. */
  seekBefore(key: Uint8Array, isInclusive: boolean): void {
    this.#table.seek(key, this.#place);
    const node = this.#place.id;
    const isExact = isInclusive && node >= 0 && equalBytes(this.#table.keyOf(node), key);
    if (!isExact) this.#table.step(this.#place, true);
    this.#settle(true);
  }

  next(): void {
    this.#table.step(this.#place, false);
    this.#settle(false);
  }

  previous(): void {
    this.#table.step(this.#place, true);
    this.#settle(true);
  }

  /** Borrowed until the next write. */
  key(): Buffer {
    return this.#key;
  }

  /** Borrowed until the next write. */
  value(): Buffer {
    return this.#value;
  }

  /** Moves on to the first key from the place on that the reader sees. */
  #settle(isReverse: boolean): void {
    const table = this.#table;
    this.#version = table.version;
    this.valid = false;
    for (let node = this.#place.id; node >= 0; node = this.#place.id) {
      const found = table.valueAt(node, this.#sequence);
      if (found !== undefined) {
        const key = table.keyOf(node);
        const { length } = key;
        if (length > this.keyBytes.length) this.keyBytes = Buffer.allocUnsafe(length * 2);
        if (length > 48) this.keyBytes.set(key);
        else for (let i = 0; i < length; i++) this.keyBytes[i] = key[i];
        this.#key = key;
        this.keyEnd = length;
        this.isDeleted = found === 'deleted';
        if (found !== 'deleted') this.#value = found;
        this.valid = true;
        return;
      }
      table.step(this.#place, isReverse);
    }
  }
}

const noBytes = Buffer.alloc(0);
