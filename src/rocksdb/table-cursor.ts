import type { BlockCursor } from './block-cursor.js';
import type { IndexCursor } from './index-cursor.js';
import { decodeTrailer } from './internal-key.js';
import type { Table } from './table.js';

/** Walks the entries of one table, by user key, the newest of each key first. */
export class TableCursor {
  readonly table: Table;
  #top: IndexCursor;
  #partition: IndexCursor | undefined;
  #data: BlockCursor | undefined;
  type = 0;
  sequence = 0;

  constructor(table: Table) {
    this.table = table;
    this.#top = table.indexCursor();
  }

  get valid(): boolean {
    return this.#data?.valid === true;
  }

  /** The user key. Borrowed until the next move. */
  key(): Buffer {
    return this.#entry.key();
  }

  /** Borrowed as long as the block is held; owned by nobody. */
  value(): Buffer {
    return this.#entry.value();
  }

  first(): void {
    this.#top.first();
    this.#enterPartition(undefined);
  }

  /** Goes to the newest entry of the first key at or behind `target`. */
  seek(target: Uint8Array): void {
    this.#top.seek(target);
    this.#enterPartition(target);
  }

  next(): void {
    this.#entry.next();
    this.#skipEnds();
  }

  get #entry(): BlockCursor {
    if (this.#data === undefined) throw new RangeError('the cursor is not valid');
    return this.#data;
  }

  get #index(): IndexCursor {
    return this.#partition ?? this.#top;
  }

  #enterPartition(target: Uint8Array | undefined): void {
    this.#data = undefined;
    if (this.table.isPartitioned) {
      this.#partition = undefined;
      if (!this.#top.valid) return;
      this.#partition = this.table.partitionCursor(this.#top);
      if (target === undefined) this.#partition.first();
      else this.#partition.seek(target);
    }
    this.#enterBlock(target);
  }

  #enterBlock(target: Uint8Array | undefined): void {
    if (!this.#index.valid) return;
    this.#data = this.table.dataCursor(this.#index);
    if (target === undefined) this.#data.first();
    else this.#data.seek(target);
    this.#skipEnds();
  }

  /** Goes on with the next block where this one is at its end. */
  #skipEnds(): void {
    while (this.#data !== undefined && !this.#data.valid) {
      this.#index.next();
      if (!this.#index.valid && this.#partition !== undefined) {
        this.#top.next();
        if (this.#top.valid) {
          this.#partition = this.table.partitionCursor(this.#top);
          this.#partition.first();
        }
      }
      this.#data = this.#index.valid ? this.table.dataCursor(this.#index) : undefined;
      this.#data?.first();
    }
    if (this.#data === undefined) return;
    const trailer = decodeTrailer(this.#data.keyBytes, this.#data.keyLength - 8);
    this.type = trailer.type;
    this.sequence = this.table.ownSequence ?? trailer.sequence;
  }
}
