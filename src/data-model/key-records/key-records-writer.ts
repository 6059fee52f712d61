import { maxVarint32Bytes, writeU32, writeVarint32 } from '../../bytes/index.js';
import type { RecordTarget } from '../../engine/index.js';
import { maxWordFrameBytes, writeWord } from './element-word.js';

/**
 * Whole keys as a store holds them, one behind the other: what a page of a walk over all keys consists of.
 *
 *   page    := key …
 *   key     := metadata key str · metadata value str                                   strings, JSON
 *            | metadata key str · metadata value str · length u32 LE · element …       others; `length` bytes of elements
 *   element := sub-key word · value word                                               see writeWord
 *   str     := length varint32 · bytes
 *
 * What all internal keys of a key begin with (namespace, key, version) is told by its metadata, and not repeated. Elements
 * are of column family 5 where the key is a stream, else of 0, in order; the index of a sorted set by score, which repeats its
 * members, is left out. Hot: bench `migrate`.
 */
export class KeyRecordsWriter implements RecordTarget {
  #bytes: Buffer;
  #length = 0;
  /** Where the length of the open key's elements is written in the end. */
  #lengthAt = 0;
  /** Where the last key begins. */
  #keyAt = 0;
  #largestKeyBytes: number;
  /** Metadata keys of those that have more bytes than a key may have; owned. */
  leftOut: Buffer[] = [];

  /** @param largestKeyBytes a key of more is left out; default: none is */
  constructor(capacityBytes: number, largestKeyBytes: number = Number.POSITIVE_INFINITY) {
    this.#bytes = Buffer.allocUnsafeSlow(capacityBytes);
    this.#largestKeyBytes = largestKeyBytes;
  }

  /** Begins a new page in the same memory. */
  clear(largestKeyBytes: number = Number.POSITIVE_INFINITY): void {
    this.#length = 0;
    this.#keyAt = 0;
    this.#largestKeyBytes = largestKeyBytes;
    this.leftOut = [];
  }

  /** Bytes of memory that it holds. */
  get capacityBytes(): number {
    return this.#bytes.length;
  }

  get byteLength(): number {
    return this.#length;
  }

  /** Borrowed until more is written. */
  get bytes(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }

  /** Begins a key, whose records follow. */
  startKey(): void {
    this.#keyAt = this.#length;
  }

  /** True when what was written of the key is more than a key may have: no more of it is wanted. */
  get isKeyTooLarge(): boolean {
    return this.#length - this.#keyAt > this.#largestKeyBytes;
  }

  /** Takes back what was written of the key. @param metadataKey is copied */
  leaveOut(metadataKey: Uint8Array): void {
    this.#length = this.#keyAt;
    this.leftOut.push(Buffer.from(metadataKey));
  }

  /** The key's metadata entry: key and value as they lie elsewhere. */
  metadata(
    keyBytes: Buffer,
    keyStart: number,
    keyEnd: number,
    valueBytes: Buffer,
    valueStart: number,
    valueEnd: number,
  ): void {
    const needed = this.#length + keyEnd - keyStart + valueEnd - valueStart + 2 * maxVarint32Bytes;
    if (needed > this.#bytes.length) this.#grow(needed);
    const bytes = this.#bytes;
    const at = copyString(bytes, this.#length, keyBytes, keyStart, keyEnd);
    this.#length = copyString(bytes, at, valueBytes, valueStart, valueEnd);
  }

  /** An element: sub-key and value as they lie elsewhere. False when the key is too large. */
  record(
    keyBytes: Buffer,
    keyStart: number,
    keyEnd: number,
    valueBytes: Buffer,
    valueStart: number,
    valueEnd: number,
  ): boolean {
    const needed = this.#length + keyEnd - keyStart + valueEnd - valueStart + 2 * maxWordFrameBytes;
    if (needed > this.#bytes.length) this.#grow(needed);
    const bytes = this.#bytes;
    const at = writeWord(bytes, this.#length, keyBytes, keyStart, keyEnd);
    this.#length = writeWord(bytes, at, valueBytes, valueStart, valueEnd);
    return !this.isKeyTooLarge;
  }

  /** Begins the elements of the key whose metadata was written last. */
  startElements(): void {
    if (this.#length + 4 > this.#bytes.length) this.#grow(this.#length + 4);
    this.#lengthAt = this.#length;
    this.#length += 4;
  }

  endElements(): void {
    writeU32(this.#bytes, this.#lengthAt, this.#length - this.#lengthAt - 4);
  }

  #grow(needed: number): void {
    const grown = Buffer.allocUnsafeSlow(Math.max(needed, this.#bytes.length * 2));
    this.#bytes.copy(grown, 0, 0, this.#length);
    this.#bytes = grown;
  }
}

const copyString = (target: Buffer, offset: number, bytes: Buffer, start: number, end: number): number => {
  const length = end - start;
  let at = writeVarint32(target, offset, length);
  if (length > longestLooped) {
    bytes.copy(target, at, start, end);
    return at + length;
  }
  for (let i = start; i < end; i++) target[at++] = bytes[i];
  return at;
};

/** Up to this length a loop is quicker than a call. */
const longestLooped = 48;
