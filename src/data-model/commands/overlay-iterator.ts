import { compareBytes } from '../../bytes/index.js';
import { type DataItem, type DataIterator, type ItemPlace, locateItem } from '../../engine/index.js';
import { lowerBound, type PendingWrites } from './pending-writes.js';

/** Merges a store's iterator with what is pending in the same range, in the same order. Nothing is written while it is open. */
export class OverlayIterator implements DataIterator {
  readonly #base: DataIterator;
  readonly #pending: PendingWrites;
  readonly #keys: readonly string[];
  /** Places of the pending keys in the range: the first, and behind the last. */
  readonly #from: number;
  readonly #to: number;
  readonly #isReverse: boolean;
  /** Place of the next pending key. */
  #at: number;
  /** The next pending entry that is not deleted. */
  #next: DataItem | undefined;
  #isPendingNext = false;

  constructor(
    base: DataIterator,
    pending: PendingWrites,
    begin: string | undefined,
    end: string | undefined,
    isReverse: boolean,
  ) {
    this.#base = base;
    this.#pending = pending;
    this.#keys = pending.sortedKeys;
    this.#from = begin === undefined ? 0 : lowerBound(this.#keys, begin);
    this.#to = end === undefined ? this.#keys.length : lowerBound(this.#keys, end);
    this.#isReverse = isReverse;
    this.#at = isReverse ? this.#to - 1 : this.#from;
    this.#settlePending();
    this.#settle();
  }

  get valid(): boolean {
    return this.#isPendingNext || this.#base.valid;
  }

  get item(): DataItem {
    return this.#isPendingNext && this.#next !== undefined ? this.#next : this.#base.item;
  }

  locate(place: ItemPlace): void {
    locateItem(this.item, place);
  }

  next(): void {
    if (this.#isPendingNext) {
      this.#at += this.#isReverse ? -1 : 1;
      this.#settlePending();
    } else this.#base.next();
    this.#settle();
  }

  seek(target: Uint8Array): void {
    this.#base.seek(target);
    const text = Buffer.from(target).toString('latin1');
    const place = lowerBound(this.#keys, text);
    const isHit = this.#keys[place] === text;
    if (this.#isReverse) this.#at = Math.min(isHit ? place : place - 1, this.#to - 1);
    else this.#at = Math.max(place, this.#from);
    this.#settlePending();
    this.#settle();
  }

  close(): void {
    this.#base.close();
    this.#next = undefined;
    this.#isPendingNext = false;
  }

  *[Symbol.iterator](): Iterator<DataItem> {
    try {
      for (; this.valid; this.next()) yield this.item;
    } finally {
      this.close();
    }
  }

  /** Steps over pending deletes. */
  #settlePending(): void {
    const step = this.#isReverse ? -1 : 1;
    this.#next = undefined;
    for (; this.#at >= this.#from && this.#at < this.#to; this.#at += step) {
      const key = this.#keys[this.#at];
      const value = this.#pending.value(key);
      if (value === undefined) continue;
      this.#next = { key: Buffer.from(key, 'latin1'), value };
      return;
    }
  }

  /** Steps over hidden entries of the store and chooses whose item comes next. */
  #settle(): void {
    while (this.#base.valid && this.#pending.hides(this.#base.item.key.toString('latin1'))) this.#base.next();
    this.#isPendingNext =
      this.#next !== undefined && (!this.#base.valid || this.#isBefore(this.#next.key, this.#base.item.key));
  }

  #isBefore(a: Uint8Array, b: Uint8Array): boolean {
    const order = compareBytes(a, b);
    return this.#isReverse ? order > 0 : order < 0;
  }
}
