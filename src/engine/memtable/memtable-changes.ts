import type { Changes, KeyRange } from '../tree/index.js';
import type { Memtable, NodeView } from './memtable.js';
import type { OrderedPlace } from './ordered-index.js';

/** The newest state of a frozen memtable as changes to a tree: what is flushed. */
export class MemtableChanges implements Changes, NodeView {
  keyBytes: Uint8Array = noBytes;
  keyStart = 0;
  keyEnd = 0;
  isDeleted = false;
  valueBytes: Uint8Array = noBytes;
  valueStart = 0;
  valueEnd = 0;
  valid = false;
  readonly ranges: readonly KeyRange[];
  readonly #table: Memtable;
  readonly #place: OrderedPlace = { leaf: 0, at: 0 };

  constructor(table: Memtable) {
    this.#table = table;
    this.ranges = table.deletedRanges.joined();
    table.seek(undefined, this.#place);
    this.#read();
  }

  next(): void {
    this.#table.step(this.#place, false);
    this.#read();
  }

  mark(): number {
    return this.#place.leaf * markStep + this.#place.at;
  }

  reset(mark: number): void {
    this.#place.leaf = Math.floor(mark / markStep);
    this.#place.at = mark % markStep;
    this.#read();
  }

  #read(): void {
    const node = this.#table.nodeAt(this.#place);
    this.valid = node >= 0;
    if (this.valid) this.#table.readNode(node, this);
  }
}

/** More than a leaf of the ordered index holds. */
const markStep = 1024;
const noBytes = new Uint8Array(0);
