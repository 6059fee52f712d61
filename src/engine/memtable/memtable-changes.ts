import type { Changes, KeyRange } from '../tree/index.js';
import type { Memtable, NodeView } from './memtable.js';
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
  readonly #place = new OrderedPlace();

  constructor(table: Memtable) {
    this.#table = table;
    // Marks stay good only where nothing is brought in any more.
    for (const settling = table.settling(); !settling.next().done; );
    this.ranges = table.deletedRanges.joined();
    table.seek(undefined, this.#place);
    this.#read();
  }

  next(): void {
    this.#table.step(this.#place, false);
    this.#read();
  }

  mark(): number {
    const { branch, leaf, at } = this.#place;
    return (branch * markStep + leaf) * markStep + at;
  }

  reset(mark: number): void {
    const leaf = Math.floor(mark / markStep);
    this.#table.returnTo(this.#place, Math.floor(leaf / markStep), leaf % markStep, mark % markStep);
    this.#read();
  }

  #read(): void {
    const node = this.#place.id;
    this.valid = node >= 0;
    if (this.valid) this.#table.readNode(node, this);
  }
}

/** More than a leaf or a branch of the ordered index holds. */
const markStep = 1024;
const noBytes = Buffer.alloc(0);
