import { type ItemPlace, nowhere, startsWithAt, writeU32BigEndian } from '../../bytes/index.js';
import type { DataIterator, DataReader, RecordTarget } from '../../engine/index.js';
import { ColumnFamily } from '../encoding/column-family.js';
import { versionBytes } from '../encoding/keys.js';
import { readListEnds } from '../encoding/list-encoding.js';
import type { MetadataPlace } from '../encoding/metadata.js';
import { ListRange } from './list-range.js';

/**
 * Appends the elements of one key after the other. An iterator that has come to the end of one key stands where the next of
 * the same length begins, most of the time: internal keys are in the order of their keys' lengths first. So there is
 * one iterator for each length, and it is sought only where something lies in between. Hot: bench `migrate`.
 */
export class ElementWalk {
  readonly #reader: DataReader;
  readonly #out: RecordTarget;
  /** By column family and length of the metadata key. */
  readonly #walks = new Map<number, LengthWalk>();
  #last: LengthWalk | undefined;

  constructor(reader: DataReader, out: RecordTarget) {
    this.#reader = reader;
    this.#out = out;
  }

  /** @param entry where the key's metadata entry lies, of which `metadata` tells */
  append(entry: ItemPlace, metadata: MetadataPlace): void {
    const { type, payloadStart } = metadata;
    const family = type === 'stream' ? ColumnFamily.streams : ColumnFamily.subKeys;
    const walk = this.#walkOf(family, entry.keyEnd - entry.keyStart);
    walk.begin(entry, metadata.versionStart);
    const ends =
      type === 'list' ? readListEnds(entry.valueBytes.subarray(payloadStart, entry.valueEnd)) : undefined;
    if (ends === undefined) walk.copy(walk.prefix, this.#out);
    else {
      const range = new ListRange(ends, this.#out);
      walk.copy(range.firstKey(walk.prefix), range);
    }
  }

  close(): void {
    for (const walk of this.#walks.values()) walk.close();
    this.#walks.clear();
    this.#last = undefined;
  }

  #walkOf(family: number, keyLength: number): LengthWalk {
    const last = this.#last;
    if (last !== undefined && last.family === family && last.keyLength === keyLength) return last;
    const which = keyLength * familyStep + family;
    let walk = this.#walks.get(which);
    if (walk === undefined) {
      if (this.#walks.size >= maxWalks) this.close();
      walk = new LengthWalk(this.#reader, family, keyLength);
      this.#walks.set(which, walk);
    }
    this.#last = walk;
    return walk;
  }
}

/** The elements of all keys of one length. */
class LengthWalk {
  readonly family: number;
  /** Of the metadata key. */
  readonly keyLength: number;
  /** What the internal keys of the key at hand begin with. */
  readonly prefix: Buffer;
  readonly #reader: DataReader;
  readonly #place = nowhere();
  #iterator: DataIterator | undefined;

  constructor(reader: DataReader, family: number, keyLength: number) {
    this.#reader = reader;
    this.family = family;
    this.keyLength = keyLength;
    this.prefix = Buffer.allocUnsafe(keyLength + 4 + versionBytes);
  }

  /** Makes `prefix` that of a key. */
  begin({ keyBytes, keyStart, keyEnd, valueBytes }: ItemPlace, versionStart: number): void {
    const { prefix } = this;
    const namespaceEnd = keyStart + 1 + keyBytes[keyStart];
    let at = 0;
    for (let i = keyStart; i < namespaceEnd; i++) prefix[at++] = keyBytes[i];
    at = writeU32BigEndian(prefix, at, keyEnd - namespaceEnd);
    for (let i = namespaceEnd; i < keyEnd; i++) prefix[at++] = keyBytes[i];
    for (let i = 0; i < versionBytes; i++) prefix[at++] = valueBytes[versionStart + i];
  }

  /** Gives `target` the elements from the internal key `begin` on. */
  copy(begin: Buffer, target: RecordTarget): void {
    const { prefix } = this;
    const place = this.#place;
    const iterator = this.#iteratorAt(begin);
    if (iterator.copyRun !== undefined) {
      iterator.copyRun(prefix, target);
      return;
    }
    for (; iterator.valid; iterator.next()) {
      iterator.locate(place);
      const { keyBytes, keyStart, keyEnd, valueBytes, valueStart, valueEnd } = place;
      if (!startsWithAt(keyBytes, keyStart, keyEnd, prefix, 0)) break;
      if (!target.record(keyBytes, keyStart + prefix.length, keyEnd, valueBytes, valueStart, valueEnd)) break;
    }
  }

  close(): void {
    this.#iterator?.close();
    this.#iterator = undefined;
  }

  /** An iterator that stands at the first internal key which is not less than `begin`. */
  #iteratorAt(begin: Buffer): DataIterator {
    const known = this.#iterator;
    if (known === undefined) {
      this.#iterator = this.#reader.iterate({ columnFamily: this.family, begin: Buffer.from(begin) });
      return this.#iterator;
    }
    if (!known.valid) return known; // nothing is behind the keys before this one
    known.locate(this.#place);
    const { keyBytes, keyStart, keyEnd } = this.#place;
    if (isLess(keyBytes, keyStart, keyEnd, begin)) known.seek(begin);
    return known;
  }
}

const isLess = (bytes: Buffer, start: number, end: number, other: Buffer): boolean => {
  const shared = Math.min(end - start, other.length);
  for (let i = 0; i < shared; i++) {
    const difference = bytes[start + i] - other[i];
    if (difference !== 0) return difference < 0;
  }
  return end - start < other.length;
};

const maxWalks = 64;
/** More than there are column families. */
const familyStep = 16;
