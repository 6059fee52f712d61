import { compareBytes } from '../../bytes/index.js';
import { type DataItem, type DataIterator, type ItemPlace, locateItem } from '../../engine/index.js';

export type PendingItem = DataItem;

/** Merges a store's iterator with pending items; both are in the same order, without a key in common. */
export class OverlayIterator implements DataIterator {
  readonly #base: DataIterator;
  /** True for a key of the store that is not to be seen. */
  readonly #isHidden: (key: Buffer) => boolean;
  readonly #pending: readonly PendingItem[];
  readonly #isReverse: boolean;
  #at = 0;
  #isPendingNext = false;

  constructor(
    base: DataIterator,
    isHidden: (key: Buffer) => boolean,
    pending: readonly PendingItem[],
    isReverse: boolean,
  ) {
    this.#base = base;
    this.#isHidden = isHidden;
    this.#pending = pending;
    this.#isReverse = isReverse;
    this.#settle();
  }

  get valid(): boolean {
    return this.#isPendingNext || this.#base.valid;
  }

  get item(): DataItem {
    const pending = this.#pending[this.#at];
    return this.#isPendingNext && pending !== undefined ? pending : this.#base.item;
  }

  locate(place: ItemPlace): void {
    locateItem(this.item, place);
  }

  next(): void {
    if (this.#isPendingNext) this.#at++;
    else this.#base.next();
    this.#settle();
  }

  seek(target: Uint8Array): void {
    this.#base.seek(target);
    this.#at = 0;
    for (let item = this.#pending[0]; item !== undefined; item = this.#pending[++this.#at])
      if (!this.#isBefore(item.key, target)) break;
    this.#settle();
  }

  close(): void {
    this.#base.close();
    this.#at = this.#pending.length;
    this.#isPendingNext = false;
  }

  *[Symbol.iterator](): Iterator<DataItem> {
    try {
      for (; this.valid; this.next()) yield this.item;
    } finally {
      this.close();
    }
  }

  /** Steps over hidden entries of the store and chooses whose item comes next. */
  #settle(): void {
    while (this.#base.valid && this.#isHidden(this.#base.item.key)) this.#base.next();
    const pending = this.#pending[this.#at];
    this.#isPendingNext =
      pending !== undefined && (!this.#base.valid || this.#isBefore(pending.key, this.#base.item.key));
  }

  #isBefore(a: Uint8Array, b: Uint8Array): boolean {
    const order = compareBytes(a, b);
    return this.#isReverse ? order > 0 : order < 0;
  }
}
