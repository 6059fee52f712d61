import { readU32, readU64BigEndian, readVarint32 } from '../../bytes/index.js';
import { TailraceError } from '../../errors/index.js';
import { complexHeaderBytes, readExpiryAt } from '../encoding/metadata.js';
import { isSingleValueType, TypeNumber, typeOfNumber } from '../encoding/type-number.js';
import { locateWord, type WordPlace } from './element-word.js';

/**
 * Walks what a KeyRecordsWriter has written, without allocating: `next` goes to a key, `nextElement` to an element of it; the
 * fields tell where their parts lie in `bytes`. Hot: bench `migrate`.
 */
export class KeyRecordsReader {
  readonly bytes: Buffer;
  /** Where the key's records begin, and end. */
  start = 0;
  end = 0;
  metadataKeyStart = 0;
  metadataKeyEnd = 0;
  metadataStart = 0;
  metadataEnd = 0;
  subKeyStart = 0;
  subKeyEnd = 0;
  valueStart = 0;
  valueEnd = 0;
  readonly #word: WordPlace = { start: 0, end: 0, next: 0 };
  readonly #cursor: { bytes: Buffer; offset: number; end: number };
  /** Of the string that was read last. */
  #stringStart = 0;

  constructor(bytes: Buffer, start = 0, end = bytes.length) {
    this.bytes = bytes;
    this.end = start;
    this.#cursor = { bytes, offset: start, end };
  }

  /** Goes to the next key; false when there is none. @throws TailraceError `BATCH_CORRUPT` */
  next(): boolean {
    const cursor = this.#cursor;
    cursor.offset = this.end;
    this.start = this.end;
    if (cursor.offset >= cursor.end) return false;
    this.metadataKeyEnd = this.#string(cursor.end);
    this.metadataKeyStart = this.#stringStart;
    this.metadataEnd = this.#string(cursor.end);
    this.metadataStart = this.#stringStart;
    this.end = this.metadataEnd;
    if (!hasElements(this.bytes, this.metadataStart, this.metadataEnd)) return true;
    const elements = cursor.offset + 4;
    if (elements > cursor.end) throw corrupt(cursor.offset);
    this.end = elements + readU32(this.bytes, cursor.offset);
    if (this.end > cursor.end) throw corrupt(cursor.offset);
    cursor.offset = elements;
    return true;
  }

  /** Goes to the next element of the key; false when there is none. @throws TailraceError `BATCH_CORRUPT` */
  nextElement(): boolean {
    const cursor = this.#cursor;
    if (cursor.offset >= this.end) return false;
    const word = this.#word;
    if (!locateWord(this.bytes, cursor.offset, this.end, word)) throw corrupt(cursor.offset);
    this.subKeyStart = word.start;
    this.subKeyEnd = word.end;
    if (!locateWord(this.bytes, word.next, this.end, word)) throw corrupt(word.next);
    this.valueStart = word.start;
    this.valueEnd = word.end;
    cursor.offset = word.next;
    return true;
  }

  /** The key's `TypeNumber`. */
  get typeNumber(): number {
    return this.bytes[this.metadataStart] & 0x0f;
  }

  /** How many elements the key says it has; 0 of a string. */
  get size(): number {
    return this.typeNumber === TypeNumber.string
      ? 0
      : readU64BigEndian(this.bytes, this.metadataStart + complexHeaderBytes - 8);
  }

  /** ms since the epoch, 0 = never */
  get expireMs(): number {
    return readExpiryAt(this.bytes, this.metadataStart);
  }

  /** Where the key's name begins, behind its namespace's; it ends at `metadataKeyEnd`. */
  get userKeyStart(): number {
    return this.metadataKeyStart + 1 + this.bytes[this.metadataKeyStart];
  }

  /** Where the elements of the key begin that follow: all of them, before the first was asked for. */
  get elementsStart(): number {
    return this.#cursor.offset;
  }

  /** Where the string at the cursor ends, which goes behind it. */
  #string(limit: number): number {
    const cursor = this.#cursor;
    let length = cursor.offset < limit ? cursor.bytes[cursor.offset] : 0x80;
    if (length < 0x80) cursor.offset++;
    else length = readVarint32(cursor);
    const start = cursor.offset;
    if (length < 0 || start + length > limit) throw corrupt(start);
    this.#stringStart = start;
    cursor.offset = start + length;
    return cursor.offset;
  }
}

/** True when elements follow a metadata value of this type, though they may be none. */
export const hasElements = (bytes: Uint8Array, metadataStart: number, metadataEnd: number): boolean => {
  const type = metadataStart < metadataEnd ? typeOfNumber(bytes[metadataStart] & 0x0f) : undefined;
  return type !== undefined && !isSingleValueType(type);
};

const corrupt = (offset: number): TailraceError =>
  new TailraceError('BATCH_CORRUPT', `malformed records of keys at offset ${offset}`, {
    context: { offset },
    remedy: 'The bytes are damaged or incomplete; nothing of them was applied.',
  });
