import { TailraceError } from '../errors/index.js';
import { placeFields, RecordKind, type WriteBatchBuilder, WriteBatchReader } from '../write-batch/index.js';
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
  /** The places of the records that were read. */
  #own = new Int32Array(placeFields * 8);
  /** The places of the records that will be applied: those, or a builder's. */
  #fields = this.#own;
  #end = 0;

  /** @throws TailraceError `BATCH_CORRUPT` | `BATCH_RECORD_UNKNOWN` | `COLUMN_FAMILY_UNKNOWN` */
  read(bytes: Buffer): void {
    const reader = this.#reader;
    reader.reset(bytes, 0, bytes.length);
    this.#fields = this.#own;
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
      this.#end = at + placeFields;
    }
    this.bytes = bytes;
    this.count = reader.count;
  }

  /** As `read`, of what a builder holds: it tells where the records are. `bytes` is what it has finished. */
  readBuilt(builder: WriteBatchBuilder, bytes: Buffer): void {
    const { places } = builder;
    if (places === undefined) {
      this.read(bytes);
      return;
    }
    const end = builder.placesEnd;
    for (let at = 1; at < end; at += placeFields)
      if (places[at] >= columnFamilyNames.length) throw unknownFamily(places[at]);
    this.#fields = places;
    this.#end = end;
    this.bytes = builder.memory;
    this.count = builder.count;
  }

  /** Applies the records to the memtables by column family; the first one has this sequence number. */
  applyTo(tables: readonly Memtable[], sequence: number): void {
    const { bytes } = this;
    const fields = this.#fields;
    const end = this.#end;
    for (let at = 0, next = sequence; at < end; at += placeFields, next++) {
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
    if (this.#own.length > maxKeptFields) this.#own = new Int32Array(placeFields * 8);
    this.#fields = this.#own;
  }

  #grow(): void {
    const more = new Int32Array(this.#own.length * 2);
    more.set(this.#own);
    this.#own = more;
    this.#fields = more;
  }
}

const inapplicable = (reader: WriteBatchReader): TailraceError =>
  new TailraceError('BATCH_RECORD_UNKNOWN', 'the batch has a record that a store of this kind cannot apply', {
    context: { kind: reader.kind, columnFamily: reader.columnFamily },
    remedy:
      'Merge operands, blob references, wide columns, timed puts and two-phase markers are not supported.',
  });

const noBytes = Buffer.alloc(0);
/** What one huge batch made grow is not kept. */
const maxKeptFields = 1 << 18;
