import { compareBytes, readU32, readVarint32 } from '../bytes/index.js';
import { TailraceError } from '../errors/index.js';

/**
 * Walks the entries of one block of a table, in order of their keys.
 *
 *   | entry … | restart offsets, u32 LE each | number of restarts, u32 LE |
 *
 *   entry: | shared varint32 | unshared varint32 | value length varint32 | unshared key bytes | value |
 *
 * `shared` bytes of the last entry's key stand before those of the entry; at a restart it is 0, so that one can begin
 * there. The highest bit of the number of restarts tells of a hash index, which is not needed for reading.
 *
 * In an index block the values are block handles. With `isDelta` they have no length: where `shared` is 0 the handle is
 * | offset varint64 | size varint64 |, otherwise the difference of the size to the last one, for the block follows it.
 */
export class BlockCursor {
  valid = false;
  /** The entry's key lies here from 0 to `keyLength`; overwritten by the next one. */
  keyBytes: Buffer = Buffer.allocUnsafe(128);
  keyLength = 0;
  /** The entry's value lies in `block` from `valueStart` to `valueEnd`. */
  valueStart = 0;
  valueEnd = 0;
  readonly block: Buffer;
  readonly #place: string;
  readonly #suffixLength: number;
  readonly #restarts: number;
  readonly #restartCount: number;
  #next = 0;

  /** @param suffixLength bytes at the end of each key that do not count for `seek` */
  constructor(block: Buffer, place: string, suffixLength: number) {
    this.block = block;
    this.#place = place;
    this.#suffixLength = suffixLength;
    if (block.length < 4) throw this.#damaged(0);
    this.#restartCount = readU32(block, block.length - 4) & 0x7fff_ffff;
    const hasHashIndex = block[block.length - 1] >= 0x80;
    const tail = 4 + (hasHashIndex ? 2 + block.readUInt16LE(block.length - 6) : 0);
    this.#restarts = block.length - tail - 4 * this.#restartCount;
    if (this.#restarts < 0) throw this.#damaged(block.length - 4);
  }

  first(): void {
    this.#from(0);
  }

  next(): void {
    if (this.#next >= this.#restarts) {
      this.valid = false;
      return;
    }
    const cursor = { bytes: this.block, offset: this.#next, end: this.#restarts };
    const shared = readVarint32(cursor);
    const unshared = readVarint32(cursor);
    const isSized = this.hasValueLength;
    const valueLength = isSized ? readVarint32(cursor) : 0;
    const keyEnd = cursor.offset + unshared;
    if (shared < 0 || unshared < 0 || valueLength < 0 || shared > this.keyLength || keyEnd > this.#restarts)
      throw this.#damaged(this.#next);
    if (shared + unshared > this.keyBytes.length) this.#growKey(shared + unshared);
    this.block.copy(this.keyBytes, shared, cursor.offset, keyEnd);
    this.keyLength = shared + unshared;
    if (this.keyLength < this.#suffixLength) throw this.#damaged(this.#next);
    this.valueStart = keyEnd;
    this.valueEnd = isSized ? keyEnd + valueLength : this.readValue(shared > 0, keyEnd);
    if (this.valueEnd > this.#restarts || this.valueEnd < keyEnd) throw this.#damaged(this.#next);
    this.#next = this.valueEnd;
    this.valid = true;
  }

  /** Goes to the first entry whose key, without the suffix, is at or behind `target`. */
  seek(target: Uint8Array): void {
    let low = 0;
    let high = this.#restartCount - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      this.#from(readU32(this.block, this.#restarts + 4 * middle));
      if (this.valid && compareBytes(this.key(), target) < 0) low = middle;
      else high = middle - 1;
    }
    this.#from(this.#restartCount === 0 ? 0 : readU32(this.block, this.#restarts + 4 * low));
    while (this.valid && compareBytes(this.key(), target) < 0) this.next();
  }

  /** The key without its suffix. Borrowed until the next move. */
  key(): Buffer {
    return this.keyBytes.subarray(0, this.keyLength - this.#suffixLength);
  }

  /** The value. Borrowed from the block. */
  value(): Buffer {
    return this.block.subarray(this.valueStart, this.valueEnd);
  }

  protected get hasValueLength(): boolean {
    return true;
  }

  /** Reads a value that has no length before it; returns where it ends, or −1. */
  protected readValue(_isShared: boolean, _at: number): number {
    return -1;
  }

  #from(offset: number): void {
    this.#next = offset;
    this.keyLength = 0;
    this.valid = false;
    this.next();
  }

  #growKey(length: number): void {
    const grown = Buffer.allocUnsafe(2 * length);
    this.keyBytes.copy(grown, 0, 0, this.keyLength);
    this.keyBytes = grown;
  }

  #damaged(offset: number): TailraceError {
    return new TailraceError('STORE_CORRUPT', `${this.#place} holds no entry at ${offset}`, {
      context: { place: this.#place, offset },
      remedy: 'The file is damaged: restore it from a backup or a replica.',
    });
  }
}
