import { prefixSuccessor } from '../../bytes/index.js';
import { type DataIterator, type DataReader, nowhere } from '../../engine/index.js';
import { ColumnFamily } from '../encoding/column-family.js';
import { encodeSubKeyPrefix } from '../encoding/keys.js';
import { listPositionBytes, readListEnds, writeListPosition } from '../encoding/list-encoding.js';
import type { Metadata } from '../encoding/metadata.js';
import type { KeyRecordsWriter } from './key-records-writer.js';

/**
 * Appends the elements of one key after the other. An iterator that has come to the end of one key stands where the next of
 * the same length begins, most of the time: internal keys are in the order of their keys' lengths first. So there is
 * one iterator for each length, and it is sought only where something lies in between. Hot: bench `migrate`.
 */
export class ElementWalk {
  readonly #reader: DataReader;
  readonly #out: KeyRecordsWriter;
  /** By column family and length of the key. */
  readonly #iterators = new Map<number, DataIterator>();
  readonly #place = nowhere();

  constructor(reader: DataReader, out: KeyRecordsWriter) {
    this.#reader = reader;
    this.#out = out;
  }

  append(metadataKey: Buffer, metadata: Metadata): void {
    const out = this.#out;
    out.startElements();
    const prefixEnd = 1 + metadataKey[0];
    const prefix = encodeSubKeyPrefix(
      metadataKey.subarray(0, prefixEnd),
      metadataKey.subarray(prefixEnd),
      metadata.version,
    );
    const family = metadata.type === 'stream' ? ColumnFamily.streams : ColumnFamily.subKeys;
    const { begin, end } = rangeOf(prefix, metadata);
    const iterator = this.#iteratorAt(family, metadataKey.length, begin);
    if (metadata.type !== 'list' && iterator.copyRun !== undefined) iterator.copyRun(prefix, out);
    else this.#copyRange(iterator, prefix.length, end);
    out.endElements();
  }

  #copyRange(iterator: DataIterator, prefixLength: number, end: Buffer | undefined): void {
    const place = this.#place;
    for (; iterator.valid; iterator.next()) {
      iterator.locate(place);
      const { keyBytes, keyStart, keyEnd, valueBytes, valueStart, valueEnd } = place;
      if (end !== undefined && compareAt(keyBytes, keyStart, keyEnd, end) >= 0) break;
      if (!this.#out.record(keyBytes, keyStart + prefixLength, keyEnd, valueBytes, valueStart, valueEnd))
        break;
    }
  }

  close(): void {
    for (const iterator of this.#iterators.values()) iterator.close();
    this.#iterators.clear();
  }

  /** An iterator that stands at the first internal key which is not less than `begin`. */
  #iteratorAt(family: number, keyLength: number, begin: Buffer): DataIterator {
    const which = family * lengthStep + keyLength;
    const known = this.#iterators.get(which);
    if (known === undefined) {
      if (this.#iterators.size >= maxIterators) this.close();
      const opened = this.#reader.iterate({ columnFamily: family, begin });
      this.#iterators.set(which, opened);
      return opened;
    }
    if (!known.valid) return known; // nothing is behind the keys before this one
    known.locate(this.#place);
    const { keyBytes, keyStart, keyEnd } = this.#place;
    if (compareAt(keyBytes, keyStart, keyEnd, begin) < 0) known.seek(begin);
    return known;
  }
}

interface ElementRange {
  readonly begin: Buffer;
  /** undefined: to the end of the column family. */
  readonly end: Buffer | undefined;
}

/** Of a list from head to tail: a Kvrocks leaves elements beside them that are no longer of the list. */
const rangeOf = (prefix: Buffer, { type, payload }: Metadata): ElementRange => {
  const ends = type === 'list' ? readListEnds(payload) : undefined;
  if (ends === undefined) return { begin: prefix, end: prefixSuccessor(prefix) };
  const at = (position: number): Buffer => {
    const key = Buffer.allocUnsafe(prefix.length + listPositionBytes);
    key.set(prefix);
    writeListPosition(key, prefix.length, position);
    return key;
  };
  return { begin: at(ends.head), end: at(ends.tail) };
};

const compareAt = (bytes: Buffer, start: number, end: number, other: Buffer): number => {
  const shared = Math.min(end - start, other.length);
  for (let i = 0; i < shared; i++) {
    const difference = bytes[start + i] - other[i];
    if (difference !== 0) return difference;
  }
  return end - start - other.length;
};

const maxIterators = 64;
/** More than a key can be long. */
const lengthStep = 2 ** 33;
