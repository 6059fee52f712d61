import type { ListChange } from '../batch-fold.js';

/** Where a list stands in its table: positions from `first` up to, not including, `next`. */
export interface ListEnds {
  readonly first: number;
  readonly next: number;
}

/**
 * The elements of a list by position. Positions are contiguous, grow from head to tail, and begin anywhere: pushes at the
 * head go below. So an edit is told without knowing more of the list than its ends.
 */
export class ListWindow {
  readonly #elements = new Map<number, Uint8Array>();
  #first: number;
  #next: number;

  constructor({ first, next }: ListEnds) {
    this.#first = first;
    this.#next = next;
  }

  get ends(): ListEnds {
    return { first: this.#first, next: this.#next };
  }

  apply(change: ListChange): void {
    if (change.op === 'push') this.#push(change.side, change.value);
    else if (change.op === 'pop') this.#pop(change.side, change.count);
    else {
      const { listIndex, value } = change;
      this.#elements.set(listIndex < 0 ? this.#next + listIndex : this.#first + listIndex, value);
    }
  }

  /** The elements that were written and are still there. What is outside of `ends` is gone. */
  *written(): Generator<readonly [position: number, value: Uint8Array]> {
    for (const element of this.#elements)
      if (element[0] >= this.#first && element[0] < this.#next) yield element;
  }

  #push(side: 'head' | 'tail', value: Uint8Array): void {
    if (side === 'head') this.#elements.set(--this.#first, value);
    else this.#elements.set(this.#next++, value);
  }

  #pop(side: 'head' | 'tail', count: number): void {
    const popped = Math.min(count, this.#next - this.#first);
    if (side === 'head') this.#first += popped;
    else this.#next -= popped;
  }
}
