import type { EntryView } from './entry-view.js';
import {
  pageHeaderBytes,
  prefixLengthOf,
  putBytes,
  putSlot,
  putVarint,
  tailBytes,
  u32,
  varintLength,
} from './page.js';
import type { TreeKey } from './tree-key.js';

/**
 * Entries on their way into the pages of a level, in key order, one after the other in memory that is reused:
 *
 *   | key, its first 512 bytes | tail? | value, the reference to it, or the child's unit |  next entry …
 *
 * What a page holds of an entry behind the page's prefix is one copy, and no objects are made per entry.
 * Hot: bench `server`, LPUSH.
 */
export class GatheredEntries {
  count = 0;
  /** An upper bound of the bytes that they take with their slots, each with its whole key. */
  byteLength = 0;
  /** How many bytes all their keys begin with. */
  commonPrefix = 0;
  #bytes = Buffer.allocUnsafeSlow(initialBytes);
  /** Of each entry: where it begins, the length of its key · 2 + hasTail, bytes shared with the key before, its size. */
  #records = new Int32Array(initialEntries * recordFields);
  /** Of each entry in a leaf: the length of its value · 2 + isLarge; of one in a branch -1. */
  #valueFields = new Float64Array(initialEntries);
  /** The first entry that was not dropped, and the place behind the last one. */
  #first = 0;
  #end = 0;

  /** Adds an entry; `valueField` as it stands in a leaf, -1 = none. */
  add(
    keyBytes: Uint8Array,
    keyStart: number,
    keyEnd: number,
    tail: Uint8Array | undefined,
    valueField: number,
    payload: Uint8Array,
    payloadStart: number,
    payloadEnd: number,
  ): void {
    const start = this.#makeRoom(keyEnd - keyStart + tailBytes + payloadEnd - payloadStart);
    const bytes = this.#bytes;
    if (payload === keyBytes && payloadStart === keyEnd && tail === undefined) {
      this.#close(putBytes(bytes, start, keyBytes, keyStart, payloadEnd), keyEnd - keyStart, 0, valueField);
      return;
    }
    let at = putBytes(bytes, start, keyBytes, keyStart, keyEnd);
    if (tail !== undefined) at = putBytes(bytes, at, tail, 0, tailBytes);
    at = putBytes(bytes, at, payload, payloadStart, payloadEnd);
    this.#close(at, keyEnd - keyStart, tail === undefined ? 0 : 1, valueField);
  }

  /** Adds an entry of a leaf. */
  addFromLeaf(page: Uint8Array, base: number, entry: EntryView): void {
    const prefixLength = prefixLengthOf(page, base);
    const { suffixStart, suffixEnd, tailAt, valueLength, isLarge, end } = entry;
    const start = this.#makeRoom(prefixLength + end - suffixStart);
    const prefixAt = base + pageHeaderBytes;
    const at = putBytes(this.#bytes, start, page, prefixAt, prefixAt + prefixLength);
    this.#close(
      putBytes(this.#bytes, at, page, suffixStart, end),
      prefixLength + suffixEnd - suffixStart,
      tailAt < 0 ? 0 : 1,
      valueLength * 2 + (isLarge ? 1 : 0),
    );
  }

  /** How many of the first entries fit into so many bytes, at least one, and their common prefix. */
  fitting(limit: number): { count: number; prefixLength: number } {
    const records = this.#records;
    const first = this.#first * recordFields;
    let count = 1;
    let prefixLength = records[first + keyField] >>> 1;
    let bytes = records[first + sizeField];
    for (; count < this.count; count++) {
      const record = first + count * recordFields;
      const withNext = Math.min(prefixLength, records[record + sharedField]);
      bytes += records[record + sizeField];
      if (bytes - count * withNext > limit) break;
      prefixLength = withNext;
    }
    return { count, prefixLength };
  }

  /** Copies the first entries into a page, but for its header; returns the place behind them. */
  putInto(page: Uint8Array, base: number, count: number, prefixLength: number): number {
    const bytes = this.#bytes;
    const records = this.#records;
    let record = this.#first * recordFields;
    const prefixStart = records[record + startField];
    let at = putBytes(page, base + pageHeaderBytes, bytes, prefixStart, prefixStart + prefixLength);
    for (let i = 0; i < count; i++, record += recordFields) {
      putSlot(page, base, i, at - base);
      const valueField = this.#valueFields[this.#first + i];
      at = putVarint(page, at, records[record + keyField] - 2 * prefixLength);
      if (valueField >= 0) at = putVarint(page, at, valueField);
      const start = records[record + startField] + prefixLength;
      at = putBytes(page, at, bytes, start, records[record + recordFields + startField]);
    }
    return at;
  }

  /** The key of one of them. Owned by the caller. */
  keyAt(index: number): TreeKey {
    const record = (this.#first + index) * recordFields;
    const start = this.#records[record + startField];
    const field = this.#records[record + keyField];
    const end = start + (field >>> 1);
    const inline = Buffer.from(this.#bytes.subarray(start, end));
    return {
      inline,
      tail: (field & 1) === 0 ? undefined : Buffer.from(this.#bytes.subarray(end, end + tailBytes)),
    };
  }

  /** In a branch: the unit of the last child. */
  get lastChild(): number {
    return u32(this.#bytes, this.#records[this.#end * recordFields + startField] - 4);
  }

  /** Drops the first entries. */
  drop(count: number): void {
    const records = this.#records;
    for (let i = 0; i < count; i++) this.byteLength -= records[(this.#first + i) * recordFields + sizeField];
    this.#first += count;
    this.count -= count;
    if (this.count === 0) {
      this.#first = 0;
      this.#end = 0;
      records[startField] = 0;
      return;
    }
    const first = this.#first * recordFields;
    this.commonPrefix = records[first + keyField] >>> 1;
    for (let i = 1; i < this.count; i++)
      this.commonPrefix = Math.min(this.commonPrefix, records[first + i * recordFields + sharedField]);
  }

  /** Takes note of the entry that was put behind the others, up to `end`. */
  #close(end: number, keyLength: number, hasTail: number, valueField: number): void {
    const records = this.#records;
    const record = this.#end * recordFields;
    const start = records[record + startField];
    let shared = keyLength;
    if (this.count > 0) {
      shared = this.#sharedWithLast(start, keyLength);
      this.commonPrefix = Math.min(this.commonPrefix, shared);
    } else this.commonPrefix = keyLength;
    const keyFieldValue = keyLength * 2 + hasTail;
    const fields = varintLength(keyFieldValue) + (valueField < 0 ? 0 : varintLength(valueField));
    const size = slotBytes + fields + end - start;
    records[record + keyField] = keyFieldValue;
    records[record + sharedField] = shared;
    records[record + sizeField] = size;
    records[record + recordFields + startField] = end;
    this.#valueFields[this.#end] = valueField;
    this.#end++;
    this.count++;
    this.byteLength += size;
  }

  #sharedWithLast(start: number, keyLength: number): number {
    const bytes = this.#bytes;
    const record = (this.#end - 1) * recordFields;
    const last = this.#records[record + startField];
    const length = Math.min(keyLength, this.#records[record + keyField] >>> 1);
    let shared = 0;
    while (shared < length && bytes[last + shared] === bytes[start + shared]) shared++;
    return shared;
  }

  /** Where the next entry, of at most so many bytes, begins. */
  #makeRoom(byteLength: number): number {
    const start = this.#records[this.#end * recordFields + startField];
    const hasRoom = start + byteLength <= this.#bytes.length && this.#end + 1 < this.#valueFields.length;
    if (hasRoom) return start;
    this.#moveToFront();
    const end = this.#records[this.#end * recordFields + startField];
    // Twice what is needed, or everything would soon have to be moved again.
    if (2 * (end + byteLength) > this.#bytes.length) {
      const larger = Buffer.allocUnsafeSlow(4 * (end + byteLength));
      this.#bytes.copy(larger, 0, 0, end);
      this.#bytes = larger;
    }
    if (2 * (this.#end + 1) > this.#valueFields.length) {
      const entries = 4 * (this.#end + 1);
      const records = new Int32Array(entries * recordFields);
      records.set(this.#records);
      this.#records = records;
      const valueFields = new Float64Array(entries);
      valueFields.set(this.#valueFields);
      this.#valueFields = valueFields;
    }
    return end;
  }

  /** Moves what is left to the front, over what was dropped. */
  #moveToFront(): void {
    const records = this.#records;
    const from = records[this.#first * recordFields + startField];
    if (from === 0) return;
    this.#bytes.copyWithin(0, from, records[this.#end * recordFields + startField]);
    records.copyWithin(0, this.#first * recordFields, (this.#end + 1) * recordFields);
    this.#valueFields.copyWithin(0, this.#first, this.#end);
    this.#end -= this.#first;
    this.#first = 0;
    for (let i = 0; i <= this.#end; i++) records[i * recordFields + startField] -= from;
  }
}

const startField = 0;
const keyField = 1;
const sharedField = 2;
const sizeField = 3;
const recordFields = 4;
const slotBytes = 2;
const initialBytes = 8 * 1024;
const initialEntries = 64;
