import { compareBytes } from '../../src/bytes/index.js';
import {
  type DataItem,
  type DataIterator,
  type DataRange,
  type DataReader,
  type ItemPlace,
  locateItem,
} from '../../src/engine/index.js';
import { RecordKind, WriteBatchReader } from '../../src/write-batch/index.js';

/** The plainest store that can hold the data model: sorted arrays. For tests of commands on their own. */
export class MemoryStore implements DataReader {
  sequence = 0;
  readonly #families = new Map<number, DataItem[]>();

  get(columnFamily: number, key: Uint8Array): Buffer | undefined {
    const items = this.#items(columnFamily);
    const item = items[lowerBound(items, key)];
    return item?.key.equals(key) ? item.value : undefined;
  }

  iterate(range: DataRange): DataIterator {
    const items = this.#items(range.columnFamily);
    const from = range.begin === undefined ? 0 : lowerBound(items, range.begin);
    const to = range.end === undefined ? items.length : lowerBound(items, range.end);
    const found = items.slice(from, Math.max(from, to));
    return new ArrayIterator(range.isReverse === true ? found.reverse() : found, range.isReverse === true);
  }

  commit(batch: Uint8Array): void {
    const reader = new WriteBatchReader(Buffer.from(batch));
    while (reader.next()) {
      const items = this.#items(reader.columnFamily);
      if (reader.kind === RecordKind.Put) put(items, reader.key(), reader.value());
      if (reader.kind === RecordKind.Delete) remove(items, reader.key());
      if (reader.kind === RecordKind.DeleteRange) {
        const from = lowerBound(items, reader.key());
        items.splice(from, Math.max(0, lowerBound(items, reader.value()) - from));
      }
    }
    this.sequence += reader.count;
  }

  #items(columnFamily: number): DataItem[] {
    const known = this.#families.get(columnFamily);
    if (known !== undefined) return known;
    const items: DataItem[] = [];
    this.#families.set(columnFamily, items);
    return items;
  }
}

class ArrayIterator implements DataIterator {
  readonly #items: readonly DataItem[];
  readonly #isReverse: boolean;
  #at = 0;

  constructor(items: readonly DataItem[], isReverse: boolean) {
    this.#items = items;
    this.#isReverse = isReverse;
  }

  get valid(): boolean {
    return this.#at < this.#items.length;
  }

  get item(): DataItem {
    const item = this.#items[this.#at];
    if (item === undefined) throw new Error('the iterator is at its end');
    return item;
  }

  locate(place: ItemPlace): void {
    locateItem(this.item, place);
  }

  next(): void {
    this.#at++;
  }

  seek(target: Uint8Array): void {
    const isReached = (item: DataItem): boolean =>
      this.#isReverse ? compareBytes(item.key, target) <= 0 : compareBytes(item.key, target) >= 0;
    this.#at = this.#items.findIndex(isReached);
    if (this.#at < 0) this.#at = this.#items.length;
  }

  close(): void {
    this.#at = this.#items.length;
  }

  *[Symbol.iterator](): Iterator<DataItem> {
    for (; this.valid; this.next()) yield this.item;
  }
}

const lowerBound = (items: readonly DataItem[], key: Uint8Array): number => {
  let low = 0;
  let high = items.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (compareBytes(items[middle].key, key) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
};

const put = (items: DataItem[], key: Buffer, value: Buffer): void => {
  const at = lowerBound(items, key);
  const isKnown = items[at]?.key.equals(key) === true;
  items.splice(at, isKnown ? 1 : 0, { key, value });
};

const remove = (items: DataItem[], key: Buffer): void => {
  const at = lowerBound(items, key);
  if (items[at]?.key.equals(key) === true) items.splice(at, 1);
};
