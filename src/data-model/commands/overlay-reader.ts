import type { DataIterator, DataRange, DataReader } from '../../engine/index.js';
import { RecordKind, WriteBatchReader } from '../../write-batch/index.js';
import { OverlayIterator, type PendingItem } from './overlay-iterator.js';

/**
 * A view of a store as it will be when the pending batches are committed: what they hold goes before what the
 * store holds. Keys are kept as latin1 strings, whose order is that of their bytes.
 */
export class OverlayReader implements DataReader {
  readonly #base: DataReader;
  readonly #families = new Map<number, PendingFamily>();

  constructor(base: DataReader) {
    this.#base = base;
  }

  get sequence(): number {
    return this.#base.sequence;
  }

  /** Adds a batch to what is pending. Keeps views of `batch`: the caller gives it away. */
  apply(batch: Buffer): void {
    const reader = new WriteBatchReader(batch);
    while (reader.next()) {
      const family = this.#family(reader.columnFamily);
      if (reader.kind === RecordKind.Put) family.put(reader.key(), reader.value());
      else if (reader.kind === RecordKind.Delete || reader.kind === RecordKind.SingleDelete)
        family.put(reader.key(), undefined);
      else if (reader.kind === RecordKind.DeleteRange) family.deleteRange(reader.key(), reader.value());
    }
  }

  get(columnFamily: number, key: Uint8Array): Buffer | undefined {
    const family = this.#families.get(columnFamily);
    if (family === undefined) return this.#base.get(columnFamily, key);
    const text = latin1(key);
    if (family.items.has(text)) return family.items.get(text);
    return family.isRangeDeleted(text) ? undefined : this.#base.get(columnFamily, key);
  }

  /** Sees what is pending now; changes that come while it is open are not in it. */
  iterate(range: DataRange): DataIterator {
    const base = this.#base.iterate(range);
    const family = this.#families.get(range.columnFamily);
    if (family === undefined) return base;
    return new OverlayIterator(
      base,
      (key) => family.hides(latin1(key)),
      family.itemsIn(range),
      range.isReverse === true,
    );
  }

  #family(columnFamily: number): PendingFamily {
    const known = this.#families.get(columnFamily);
    if (known !== undefined) return known;
    const family = new PendingFamily();
    this.#families.set(columnFamily, family);
    return family;
  }
}

/** Pending writes of one column family; an undefined value is a delete. */
class PendingFamily {
  readonly items = new Map<string, Buffer | undefined>();
  readonly #deletedRanges: { readonly begin: string; readonly end: string }[] = [];

  put(key: Buffer, value: Buffer | undefined): void {
    this.items.set(latin1(key), value);
  }

  deleteRange(begin: Buffer, end: Buffer): void {
    const range = { begin: latin1(begin), end: latin1(end) };
    for (const text of this.items.keys())
      if (text >= range.begin && text < range.end) this.items.delete(text);
    this.#deletedRanges.push(range);
  }

  /** True when a pending DeleteRange hides the store's entry. */
  isRangeDeleted(text: string): boolean {
    return this.#deletedRanges.some((range) => text >= range.begin && text < range.end);
  }

  /** True when the store's entry is not the one to be seen. */
  hides(text: string): boolean {
    return this.items.has(text) || this.isRangeDeleted(text);
  }

  /** What is pending in the range and not deleted, in the range's order. */
  itemsIn(range: DataRange): PendingItem[] {
    const begin = range.begin === undefined ? '' : latin1(range.begin);
    const end = range.end === undefined ? undefined : latin1(range.end);
    const found: { readonly text: string; readonly value: Buffer }[] = [];
    for (const [text, value] of this.items)
      if (value !== undefined && text >= begin && (end === undefined || text < end))
        found.push({ text, value });
    const direction = range.isReverse === true ? -1 : 1;
    found.sort((a, b) => (a.text < b.text ? -direction : direction));
    return found.map(({ text, value }) => ({ key: Buffer.from(text, 'latin1'), value }));
  }
}

const latin1 = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
