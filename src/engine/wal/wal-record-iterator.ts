import { RecordKind, WriteBatchReader } from '../../write-batch/index.js';
import type { WalBatch, WalIterator } from '../engine-api.js';
import type { StoreIterator } from '../store-iterator.js';

/** One record of the log. `value` is the end key of a DeleteRange, and the blob of LogData. */
export interface WalRecord {
  readonly kind: RecordKind;
  readonly columnFamily: number;
  readonly key: Buffer;
  readonly value: Buffer;
  /** Its own sequence number; for records that take none, the batch's. */
  readonly sequence: number;
}

/** The log record by record: the batches of a WalIterator, opened up. Owns the iterator that it is given. */
export class WalRecordIterator implements StoreIterator<WalRecord, number> {
  readonly #batches: WalIterator;
  #records: WriteBatchReader | undefined;
  #item: WalRecord | undefined;

  constructor(batches: WalIterator) {
    this.#batches = batches;
    this.#enter();
    this.next();
  }

  get valid(): boolean {
    return this.#item !== undefined;
  }

  get item(): WalRecord {
    if (this.#item === undefined) throw new RangeError('the iterator is not valid');
    return this.#item;
  }

  next(): void {
    this.#item = undefined;
    while (this.#records !== undefined || this.#batches.valid) {
      const records = this.#records;
      if (records?.next()) {
        const isCounted =
          records.kind !== RecordKind.LogData && records.kind !== RecordKind.TransactionMarker;
        this.#item = {
          kind: records.kind,
          columnFamily: records.columnFamily,
          key: records.key(),
          value: records.value(),
          sequence: records.sequence + (isCounted ? records.index : 0),
        };
        return;
      }
      this.#batches.next();
      this.#enter();
    }
  }

  /** Goes to the first record of the batch that contains or follows `sequence`. */
  seek(sequence: number): void {
    this.#batches.seek(sequence);
    this.#enter();
    this.next();
  }

  close(): void {
    this.#item = undefined;
    this.#records = undefined;
    this.#batches.close();
  }

  *[Symbol.iterator](): Generator<WalRecord> {
    try {
      for (; this.valid; this.next()) yield this.item;
    } finally {
      this.close();
    }
  }

  #enter(): void {
    const batch: WalBatch | undefined = this.#batches.valid ? this.#batches.item : undefined;
    this.#records = batch === undefined ? undefined : new WriteBatchReader(batch.bytes);
  }
}
