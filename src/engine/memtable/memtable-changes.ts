import type { Changes, KeyRange } from '../tree/index.js';
import type { Memtable } from './memtable.js';
import type { NodeView } from './node-reader.js';
import { OrderedPlace } from './ordered-index.js';

/** The newest state of a frozen memtable as changes to a tree: what is flushed. */
export class MemtableChanges implements Changes, NodeView {
  keyBytes: Buffer = noBytes;
  keyStart = 0;
  keyEnd = 0;
  isDeleted = false;
  valueBytes: Buffer = noBytes;
  valueStart = 0;
  valueEnd = 0;
  valid = false;
  readonly ranges: readonly KeyRange[];
  readonly #table: Memtable;
  /** Where they have all been sorted and not been brought into the index: that is walked instead. */
  readonly #sorted: Int32Array | undefined;
  #at = 0;
  #passed = 0;
  /** Up to where the sorted ones have been fetched. */
  #fetched = 0;
  readonly #place = new OrderedPlace();

  constructor(table: Memtable) {
    this.#table = table;
    // Marks stay good only where nothing is brought in any more.
    for (const settling = table.settling(); !settling.next().done; );
    this.ranges = table.deletedRanges.joined();
    this.#sorted = table.sortedNodes;
    if (this.#sorted === undefined) table.seek(undefined, this.#place);
    this.#read();
  }

  /** How many changes there are, and how many were passed: once more those that were gone back to. */
  get count(): number {
    return this.#table.count;
  }

  get passed(): number {
    return this.#passed;
  }

  next(): void {
    this.#passed++;
    if (this.#sorted === undefined) this.#table.step(this.#place, false);
    else this.#at++;
    this.#read();
  }

  mark(): number {
    if (this.#sorted !== undefined) return this.#at;
    const { branch, leaf, at } = this.#place;
    return (branch * markStep + leaf) * markStep + at;
  }

  reset(mark: number): void {
    if (this.#sorted !== undefined) {
      this.#at = mark;
      this.#read();
      return;
    }
    const leaf = Math.floor(mark / markStep);
    this.#table.returnTo(this.#place, Math.floor(leaf / markStep), leaf % markStep, mark % markStep);
    this.#read();
  }

  #read(): void {
    const sorted = this.#sorted;
    if (sorted === undefined) {
      this.valid = this.#place.id >= 0;
      if (this.valid) this.#table.reader.readNewest(this.#place.id, this);
      return;
    }
    this.valid = this.#at < sorted.length;
    if (!this.valid) return;
    if (this.#at === this.#fetched) {
      this.#fetched = Math.min(sorted.length, this.#at + fetchedTogether);
      this.#table.reader.fetch(sorted, this.#at, this.#fetched);
    }
    this.#table.reader.readNewest(sorted[this.#at], this);
  }
}

/** More than a leaf or a branch of the ordered index holds. */
const markStep = 1024;
/** Half of what the processor's nearest cache holds, for records of 128 bytes and less. */
const fetchedTogether = 64;
const noBytes = Buffer.alloc(0);
