import { TailraceError } from '../errors/index.js';
import { RecordKind, WriteBatchReader } from '../write-batch/index.js';
import { columnFamilyNames, unknownFamily } from './column-family.js';
import type { Memtable } from './memtable/index.js';

/**
 * A batch all of whose records a store of this kind can apply: read once to be checked, before anything is written, and
 * then applied by the places that were found. One serves many batches, one after the other.
 * Hot: benches `engine-write`, `server`.
 */
export class CheckedBatch {
  bytes: Buffer = noBytes;
  /** How many sequence numbers the batch takes. */
  count = 0;
  readonly #reader = new WriteBatchReader();
  /** Of each record that changes data: its kind, column family, places and index. */
  #fields = new Int32Array(fieldCount * 8);
  #end = 0;

  /** @throws TailraceError `BATCH_CORRUPT` | `BATCH_RECORD_UNKNOWN` | `COLUMN_FAMILY_UNKNOWN` */
  read(bytes: Buffer): void {
    const reader = this.#reader;
    reader.reset(bytes, 0, bytes.length);
    this.#end = 0;
    while (reader.next()) {
      if (reader.columnFamily >= columnFamilyNames.length) throw unknownFamily(reader.columnFamily);
      if (reader.kind === RecordKind.LogData) continue;
      if (reader.kind > RecordKind.DeleteRange) throw inapplicable(reader);
      if (this.#end === this.#fields.length) this.#grow();
      const fields = this.#fields;
      const at = this.#end;
      fields[at] = reader.kind;
      fields[at + 1] = reader.columnFamily;
      fields[at + 2] = reader.keyStart;
      fields[at + 3] = reader.keyEnd;
      fields[at + 4] = reader.valueStart;
      fields[at + 5] = reader.valueEnd;
      this.#end = at + fieldCount;
    }
    this.bytes = bytes;
    this.count = reader.count;
  }

  /** Applies the records to the memtables by column family; the first one has this sequence number. */
  applyTo(tables: readonly Memtable[], sequence: number): void {
    const { bytes } = this;
    const fields = this.#fields;
    const end = this.#end;
    for (let at = 0, next = sequence; at < end; at += fieldCount, next++) {
      const table = tables[fields[at + 1]];
      switch (fields[at]) {
        case RecordKind.Put:
          table.put(bytes, fields[at + 2], fields[at + 3], fields[at + 4], fields[at + 5], next);
          break;
        case RecordKind.DeleteRange:
          table.deleteRange(
            bytes.subarray(fields[at + 2], fields[at + 3]),
            bytes.subarray(fields[at + 4], fields[at + 5]),
            next,
          );
          break;
        default:
          table.delete(bytes, fields[at + 2], fields[at + 3], next);
      }
    }
    if (fields.length > maxKeptFields) this.#fields = new Int32Array(fieldCount * 8);
  }

  #grow(): void {
    const fields = new Int32Array(this.#fields.length * 2);
    fields.set(this.#fields);
    this.#fields = fields;
  }
}

const inapplicable = (reader: WriteBatchReader): TailraceError =>
  new TailraceError('BATCH_RECORD_UNKNOWN', 'the batch has a record that a store of this kind cannot apply', {
    context: { kind: reader.kind, columnFamily: reader.columnFamily },
    remedy:
      'Merge operands, blob references, wide columns, timed puts and two-phase markers are not supported.',
  });

const noBytes = Buffer.alloc(0);
const fieldCount = 6;
/** What one huge batch made grow is not kept. */
const maxKeptFields = 1 << 18;
