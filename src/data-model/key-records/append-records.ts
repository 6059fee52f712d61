import { equalBytes, nowhere } from '../../bytes/index.js';
import type { DataReader } from '../../engine/index.js';
import { ColumnFamily } from '../encoding/column-family.js';
import { isAlive, locateMetadata, noMetadata } from '../encoding/metadata.js';
import { ElementWalk } from './element-walk.js';
import { hasElements } from './key-records-reader.js';
import type { KeyRecordsWriter } from './key-records-writer.js';

/** A page of a walk over all keys, as records. */
export interface KeyRecordsPage {
  /** Metadata key of the last key that was looked at; undefined when the walk is at its end. Owned. */
  readonly next: Buffer | undefined;
  readonly keys: number;
}

/**
 * Appends the records of the keys behind the metadata key `after` (empty: from the first), of every namespace, until
 * `maxKeys` keys or `maxBytes` bytes are reached; a key is never cut, so that the last may exceed the bytes. Keys that
 * do not exist for a reader at `nowMs` are passed over.
 */
export const appendRecordsAfter = (
  reader: DataReader,
  after: Uint8Array,
  limit: { readonly maxKeys: number; readonly maxBytes: number; readonly nowMs: number },
  out: KeyRecordsWriter,
): KeyRecordsPage => {
  const begin = after.length === 0 ? after : Buffer.concat([after, Buffer.of(0)]);
  const iterator = reader.iterate({ columnFamily: ColumnFamily.metadata, begin });
  const records = new RecordsAppender(reader, limit.nowMs, out);
  const { place } = records;
  let keys = 0;
  try {
    for (let seen = 1; iterator.valid; iterator.next(), seen++) {
      iterator.locate(place);
      if (records.append()) keys++;
      if (seen < maxKeysSeen && keys < limit.maxKeys && out.byteLength < limit.maxBytes) continue;
      return { next: Buffer.from(place.keyBytes.subarray(place.keyStart, place.keyEnd)), keys };
    }
    return { next: undefined, keys };
  } finally {
    iterator.close();
    records.close();
  }
};

/** Appends the records of one key; false when there is no such key at `nowMs`. */
export const appendRecordsOf = (
  reader: DataReader,
  metadataKey: Uint8Array,
  nowMs: number,
  out: KeyRecordsWriter,
): boolean => {
  const iterator = reader.iterate({ columnFamily: ColumnFamily.metadata, begin: metadataKey });
  const records = new RecordsAppender(reader, nowMs, out);
  try {
    if (!iterator.valid || !equalBytes(iterator.item.key, metadataKey)) return false;
    iterator.locate(records.place);
    return records.append();
  } finally {
    iterator.close();
    records.close();
  }
};

class RecordsAppender {
  /** Where the metadata entry lies whose records are appended. */
  readonly place = nowhere();
  readonly #metadata = noMetadata();
  readonly #elements: ElementWalk;
  readonly #nowMs: number;
  readonly #out: KeyRecordsWriter;

  constructor(reader: DataReader, nowMs: number, out: KeyRecordsWriter) {
    this.#elements = new ElementWalk(reader, out);
    this.#nowMs = nowMs;
    this.#out = out;
  }

  /** False when there is no such key at that time. */
  append(): boolean {
    const { keyBytes, keyStart, keyEnd, valueBytes, valueStart, valueEnd } = this.place;
    const out = this.#out;
    const metadata = this.#metadata;
    const isKnown = locateMetadata(valueBytes, valueStart, valueEnd, metadata);
    if (isKnown && !isAlive(metadata, this.#nowMs)) return false;
    out.startKey();
    out.metadata(keyBytes, keyStart, keyEnd, valueBytes, valueStart, valueEnd);
    if (hasElements(valueBytes, valueStart, valueEnd)) {
      out.startElements();
      // What cannot be read is handed on as it is, without elements: whoever decodes it says so.
      if (isKnown) this.#elements.append(this.place, metadata);
      out.endElements();
    }
    if (out.isKeyTooLarge) out.leaveOut(keyBytes.subarray(keyStart, keyEnd));
    return true;
  }

  close(): void {
    this.#elements.close();
  }
}

/** Keys that are looked at for one page, so that many expired ones do not keep the caller. */
export const maxKeysSeen = 100_000;
