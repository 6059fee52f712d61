/**
 * What a transaction has written to one column family so far. Keys are latin1 strings, whose order is that of their bytes.
 * Those that came last are brought into order when somebody walks: most transactions never do.
 */
export class PendingWrites {
  /** An undefined value is a delete. */
  readonly #values = new Map<string, Buffer | undefined>();
  /** Of all keys but those in `#unsorted`. */
  #sorted: string[] = [];
  #unsorted: string[] = [];
  readonly #deletedRanges: { readonly begin: string; readonly end: string }[] = [];

  /** All keys in ascending order, the deleted ones among them. Borrowed until the next write. */
  get sortedKeys(): readonly string[] {
    this.#sort();
    return this.#sorted;
  }

  put(key: string, value: Buffer | undefined): void {
    if (!this.#values.has(key)) this.#unsorted.push(key);
    this.#values.set(key, value);
  }

  deleteRange(begin: string, end: string): void {
    this.#sort();
    const from = lowerBound(this.#sorted, begin);
    const deleted = this.#sorted.splice(from, Math.max(0, lowerBound(this.#sorted, end) - from));
    for (const key of deleted) this.#values.delete(key);
    this.#deletedRanges.push({ begin, end });
  }

  value(key: string): Buffer | undefined {
    return this.#values.get(key);
  }

  /** True when the store's entry is not the one to be seen. */
  hides(key: string): boolean {
    return this.#values.has(key) || this.#deletedRanges.some(({ begin, end }) => key >= begin && key < end);
  }

  #sort(): void {
    const added = this.#unsorted;
    if (added.length === 0) return;
    if (added.length <= mostInserted)
      for (const key of added) this.#sorted.splice(lowerBound(this.#sorted, key), 0, key);
    else this.#sorted = merged(this.#sorted, added.sort(ascending));
    this.#unsorted = [];
  }
}

/** The place of the first of the sorted keys that is not below `key`. */
export const lowerBound = (sorted: readonly string[], key: string): number => {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (sorted[middle] < key) low = middle + 1;
    else high = middle;
  }
  return low;
};

const merged = (left: readonly string[], right: readonly string[]): string[] => {
  const all: string[] = [];
  let next = 0;
  for (const key of right) {
    while (next < left.length && left[next] < key) all.push(left[next++]);
    all.push(key);
  }
  while (next < left.length) all.push(left[next++]);
  return all;
};

const ascending = (a: string, b: string): number => (a < b ? -1 : 1);

/** A few keys are put in their places one by one; beyond, all are moved once. */
const mostInserted = 16;
