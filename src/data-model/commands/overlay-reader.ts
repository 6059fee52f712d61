import type { DataIterator, DataRange, DataReader } from '../../engine/index.js';
import { RecordKind, WriteBatchReader } from '../../write-batch/index.js';
import { OverlayIterator } from './overlay-iterator.js';
import { PendingWrites } from './pending-writes.js';

/**
 * A view of a store as it will be when the pending batches are committed: what they hold goes before what the
 * store holds.
 */
export class OverlayReader implements DataReader {
  readonly #base: DataReader;
  readonly #families = new Map<number, PendingWrites>();

  constructor(base: DataReader) {
    this.#base = base;
  }

  get sequence(): number {
    return this.#base.sequence;
  }

  /** Adds a batch to what is pending. Keeps views of `batch`: the caller gives it away. No iterator may be open. */
  apply(batch: Buffer): void {
    const reader = new WriteBatchReader(batch);
    while (reader.next()) {
      const pending = this.#family(reader.columnFamily);
      if (reader.kind === RecordKind.Put) pending.put(latin1(reader.key()), reader.value());
      else if (reader.kind === RecordKind.Delete || reader.kind === RecordKind.SingleDelete)
        pending.put(latin1(reader.key()), undefined);
      else if (reader.kind === RecordKind.DeleteRange)
        pending.deleteRange(latin1(reader.key()), latin1(reader.value()));
    }
  }

  get(columnFamily: number, key: Uint8Array): Buffer | undefined {
    const pending = this.#families.get(columnFamily);
    if (pending === undefined) return this.#base.get(columnFamily, key);
    const text = latin1(key);
    return pending.hides(text) ? pending.value(text) : this.#base.get(columnFamily, key);
  }

  iterate(range: DataRange): DataIterator {
    const base = this.#base.iterate(range);
    const pending = this.#families.get(range.columnFamily);
    if (pending === undefined) return base;
    const begin = range.begin === undefined ? undefined : latin1(range.begin);
    const end = range.end === undefined ? undefined : latin1(range.end);
    return new OverlayIterator(base, pending, begin, end, range.isReverse === true);
  }

  #family(columnFamily: number): PendingWrites {
    const known = this.#families.get(columnFamily);
    if (known !== undefined) return known;
    const pending = new PendingWrites();
    this.#families.set(columnFamily, pending);
    return pending;
  }
}

const latin1 = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
