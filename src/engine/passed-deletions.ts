import type { DataRange } from './engine-api.js';
import { type MemtableCursor, mayRemoveMore } from './memtable/index.js';

/**
 * What one step of a walk has stepped over: deletions in a row that hide data of older layers. Many of them become one
 * deleted range of the newest memtable, which says the same and which later walks skip by a seek: so whoever drains a
 * set, a queue or the keys of a store does not step over everything taken before, each time.
 */
export class PassedDeletions {
  readonly #isReverse: boolean;
  #count = 0;
  /** Where they begin: the first key that was stepped over, or, on the way back, the one that follows it. */
  #from: Uint8Array | undefined;
  /** Deletions of the newest memtable from there on. */
  readonly #nodes: number[] = [];

  /** @param from where the walk begins, when it was in a deleted range and has left it */
  constructor(isReverse: boolean, from?: Uint8Array) {
    this.#isReverse = isReverse;
    this.#from = from;
  }

  /** A cursor stands on a deletion; `node` = in the newest memtable. */
  note(cursor: KeyPlace, node: number | undefined): void {
    // Most walks step over few, which is not worth a copy.
    if (++this.#count >= fewestNoted) this.#from ??= this.#boundAt(cursor);
    if (node === undefined || this.#from === undefined) return;
    if (mayRemoveMore(this.#nodes.length, this.#count)) this.#nodes.push(node);
  }

  /** A cursor stands in a deleted range, which it leaves: what follows it shall be one with it. */
  noteRange(cursor: KeyPlace): void {
    this.#from ??= this.#boundAt(cursor);
  }

  get isWorthJoining(): boolean {
    return this.#count >= fewestJoined;
  }

  /** Makes them a range up to the item where the walk stands now; without one it has walked to the end of `range`. */
  join(newest: MemtableCursor, { begin = noBytes, end }: DataRange, item?: KeyPlace): void {
    const from = this.#from;
    const to = item !== undefined ? this.#boundAt(item) : this.#isReverse ? begin : end;
    if (from === undefined || to === undefined) return;
    if (this.#isReverse) newest.join(to, from, this.#nodes);
    else newest.join(from, to, this.#nodes);
  }

  #boundAt({ keyBytes, keyStart, keyEnd }: KeyPlace): Buffer {
    const key = keyBytes.subarray(keyStart, keyEnd);
    return this.#isReverse ? Buffer.concat([key, zeroByte]) : Buffer.from(key);
  }
}

/** Where a key lies. */
interface KeyPlace {
  readonly keyBytes: Buffer;
  readonly keyStart: number;
  readonly keyEnd: number;
}

const fewestNoted = 4;
/** Stepping over fewer costs less than replacing them by a range. */
const fewestJoined = 8;
const zeroByte = Buffer.of(0);
const noBytes = Buffer.alloc(0);
