import { compareBytes } from '../bytes/index.js';
import type { Table } from './table.js';
import { TableCursor } from './table-cursor.js';

/** Walks tables that follow each other in the order of their keys: a level above 0, or one table alone. */
export class RunCursor {
  readonly #tables: readonly Table[];
  #at = 0;
  #cursor: TableCursor | undefined;

  constructor(tables: readonly Table[]) {
    this.#tables = tables;
  }

  get valid(): boolean {
    return this.#cursor?.valid === true;
  }

  /** Where it stands. @throws RangeError when it is not valid */
  get entry(): TableCursor {
    if (this.#cursor === undefined) throw new RangeError('the cursor is not valid');
    return this.#cursor;
  }

  seek(target: Uint8Array): void {
    let low = 0;
    let high = this.#tables.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (compareBytes(this.#tables[middle].file.largest, target) < 0) low = middle + 1;
      else high = middle;
    }
    if (this.#enter(low)) this.#cursor?.seek(target);
    this.#skipEnds();
  }

  next(): void {
    this.#cursor?.next();
    this.#skipEnds();
  }

  #enter(at: number): boolean {
    this.#at = at;
    if (at >= this.#tables.length) {
      this.#cursor = undefined;
      return false;
    }
    if (this.#cursor?.table !== this.#tables[at]) this.#cursor = new TableCursor(this.#tables[at]);
    return true;
  }

  #skipEnds(): void {
    while (this.#cursor !== undefined && !this.#cursor.valid)
      if (this.#enter(this.#at + 1)) this.#cursor.first();
  }
}
