import { digitsOf, maxBulkFrameBytes, writeBulkHeader } from './bulk-string.js';
import { largeMemoryBytes, takeLargeMemory } from './large-memory.js';

/** A growing byte string, written front to back and reused. */
export class ByteWriter {
  #bytes: Buffer;
  #length = 0;

  constructor(capacityBytes = 16 * 1024) {
    this.#bytes = Buffer.allocUnsafeSlow(capacityBytes);
  }

  get length(): number {
    return this.#length;
  }

  /** What was written. Borrowed until the next write. */
  get bytes(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }

  /** Hands over what was written and starts anew. The caller owns the bytes. */
  take(): Buffer {
    if (this.#length <= smallTakenBytes) {
      // Copied into shared memory: cheaper than memory of its own for each few replies, and than new memory for us.
      const copy = Buffer.allocUnsafe(this.#length);
      this.#bytes.copy(copy, 0, 0, this.#length);
      this.#length = 0;
      return copy;
    }
    const taken = this.#bytes.subarray(0, this.#length);
    this.#bytes = Buffer.allocUnsafeSlow(Math.min(this.#bytes.length, maxKeptBytes));
    this.#length = 0;
    return taken;
  }

  /** Starts anew, in the same memory unless that is very large: one huge value must not keep its memory for ever. */
  clear(): void {
    this.#length = 0;
    if (this.#bytes.length > maxReusedBytes) this.#bytes = Buffer.allocUnsafeSlow(maxKeptBytes);
  }

  /** Drops what was written behind `length`. */
  truncate(length: number): void {
    this.#length = Math.min(this.#length, length);
  }

  /**
   * Room for `more` bytes behind what was written: the buffer, to be written from `length` on by a serializer of
   * its own, which then says by `advance` how far it got. Borrowed until the next call of anything else.
   */
  claim(more: number): Buffer {
    this.#reserve(more);
    return this.#bytes;
  }

  /** Takes over what was written into the room of `claim`, up to `length`. */
  advance(length: number): void {
    this.#length = length;
  }

  byte(value: number): void {
    this.#reserve(1);
    this.#bytes[this.#length++] = value;
  }

  raw(bytes: Uint8Array): void {
    const length = bytes.length;
    this.#reserve(length);
    if (length > 32) this.#bytes.set(bytes, this.#length);
    else for (let i = 0; i < length; i++) this.#bytes[this.#length + i] = bytes[i];
    this.#length += length;
  }

  /**
   * What another writer holds, which starts anew. Where that is very large its memory changes hands, so that it is never
   * there twice.
   */
  moveFrom(other: ByteWriter): void {
    const before = this.#length;
    const bytes = other.#bytes;
    const length = before + other.#length;
    if (other.#length <= maxReusedBytes || length > bytes.length) {
      this.raw(other.bytes);
      other.clear();
      return;
    }
    bytes.copyWithin(before, 0, other.#length);
    this.#bytes.copy(bytes, 0, 0, before);
    other.#bytes = this.#bytes;
    other.#length = 0;
    this.#bytes = bytes;
    this.#length = length;
  }

  /** A bulk string of RESP: `$length`, line end, the bytes, line end. Hot for sinks that write commands in bulk. */
  bulk(bytes: Uint8Array): void {
    const length = bytes.length;
    this.#reserve(length + maxBulkFrameBytes);
    const target = this.#bytes;
    let at = writeBulkHeader(target, this.#length, length);
    if (length > 32) target.set(bytes, at);
    else for (let i = 0; i < length; i++) target[at + i] = bytes[i];
    at += length;
    target[at] = 0x0d;
    target[at + 1] = 0x0a;
    this.#length = at + 2;
  }

  /** A bulk string of RESP from a part of `source`, without a view of it. Hot as `bulk` is. */
  bulkSlice(source: Buffer, start: number, end: number): void {
    const length = end - start;
    this.#reserve(length + maxBulkFrameBytes);
    const target = this.#bytes;
    let at = writeBulkHeader(target, this.#length, length);
    if (length > 32) source.copy(target, at, start, end);
    else for (let i = 0; i < length; i++) target[at + i] = source[start + i];
    at += length;
    target[at] = 0x0d;
    target[at + 1] = 0x0a;
    this.#length = at + 2;
  }

  /** A bulk string of RESP from text, as UTF-8. Hot: names, numbers and options of commands in bulk. */
  bulkText(text: string): void {
    const { length } = text;
    if (length > 64) {
      this.bulk(Buffer.from(text));
      return;
    }
    this.#reserve(length + maxBulkFrameBytes);
    const target = this.#bytes;
    let at = writeBulkHeader(target, this.#length, length);
    for (let i = 0; i < length; i++) {
      const code = text.charCodeAt(i);
      if (code > 0x7f) {
        this.bulk(Buffer.from(text)); // nothing was taken yet
        return;
      }
      target[at++] = code;
    }
    target[at] = 0x0d;
    target[at + 1] = 0x0a;
    this.#length = at + 2;
  }

  /** The head of a RESP array: `*length`, line end. */
  arrayHeader(length: number): void {
    this.line(0x2a, length);
  }

  /** A line of RESP that holds a whole number: the marker, the number, line end. */
  line(marker: number, value: number): void {
    if (value < 0 || value > 0xffff_ffff) {
      this.byte(marker);
      this.latin1(String(value));
      this.latin1('\r\n');
      return;
    }
    this.#reserve(maxBulkFrameBytes);
    const at = writeBulkHeader(this.#bytes, this.#length, value);
    this.#bytes[this.#length] = marker;
    this.#length = at;
  }

  /** Text of characters below 256. */
  latin1(text: string): void {
    const length = text.length;
    this.#reserve(length);
    if (length > 32) this.#bytes.write(text, this.#length, 'latin1');
    else for (let i = 0; i < length; i++) this.#bytes[this.#length + i] = text.charCodeAt(i);
    this.#length += length;
  }

  utf8(text: string): void {
    this.#reserve(text.length * 3);
    this.#length += this.#bytes.write(text, this.#length, 'utf8');
  }

  /** A bulk string of RESP: the bytes in upper-case hexadecimal. */
  bulkHex(bytes: Uint8Array): void {
    const length = bytes.length * 2;
    // For all of it at once: to grow for the line end alone would double what may be a very large text.
    this.#reserve(length + maxBulkFrameBytes);
    const target = this.#bytes;
    let at = writeBulkHeader(target, this.#length, length);
    for (let i = 0; i < bytes.length; i++) {
      const byte = bytes[i];
      target[at++] = hexDigits[byte >>> 4];
      target[at++] = hexDigits[byte & 15];
    }
    target[at] = 0x0d;
    target[at + 1] = 0x0a;
    this.#length = at + 2;
  }

  /** A whole number in decimal. */
  decimal(value: number): void {
    if (value < 0 || value > 0xffff_ffff) {
      this.latin1(String(value));
      return;
    }
    const digits = value < 10 ? 1 : digitsOf(value);
    this.#reserve(digits);
    let rest = value;
    for (let at = this.#length + digits - 1; at >= this.#length; at--) {
      const quotient = Math.floor(rest / 10);
      this.#bytes[at] = 0x30 + (rest - quotient * 10);
      rest = quotient;
    }
    this.#length += digits;
  }

  #reserve(more: number): void {
    const needed = this.#length + more;
    if (needed <= this.#bytes.length) return;
    const capacity = Math.max(needed + roomBehindBytes, this.#bytes.length * 2);
    const grown = capacity < largeMemoryBytes ? Buffer.allocUnsafeSlow(capacity) : takeLargeMemory(capacity);
    this.#bytes.copy(grown, 0, 0, this.#length);
    this.#bytes = grown;
  }
}

const maxKeptBytes = 64 * 1024;
const maxReusedBytes = 32 * 1024 * 1024;
/** What follows something large mostly is a line end, or what stands before it in `moveFrom`: no reason to grow again. */
const roomBehindBytes = 1024;
const smallTakenBytes = 2 * 1024;
const hexDigits = Buffer.from('0123456789ABCDEF');
