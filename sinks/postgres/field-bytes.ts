import { BlockMemory } from './block-memory.js';

/**
 * Takes the values of rows, one after the other, in the order of their columns. A value is written as the binary format
 * of its type, after its length: as a field of COPY, an element of an array and a parameter alike.
 */
export interface FieldWriter {
  null(): void;
  bool(value: boolean): void;
  int4(value: number): void;
  /** A whole number within ±2^53. */
  int8(value: number): void;
  float8(value: number): void;
  /** A timestamptz from ms since 1970. */
  timestamp(ms: number): void;
  text(value: string): void;
  /** A bytea, or a text of which the bytes are valid. */
  bytes(value: Uint8Array): void;
  /** A jsonb from JSON text. */
  jsonb(text: string | Uint8Array): void;
}

/**
 * Fields as they stand in messages, in blocks. Numbers are big-endian.
 *
 *   field   | length i32 (-1 = NULL) | bytes …
 *
 * Large values are not copied: they become blocks of their own. Hot; measured by bench `postgres-sink`.
 */
export class FieldBytes implements FieldWriter {
  readonly #blocks: Buffer[] = [];
  readonly #memory: BlockMemory | undefined;
  /** What came from the memory. */
  readonly #borrowed: Buffer[] = [];
  #bytes: Buffer = Buffer.allocUnsafeSlow(firstBlockBytes);
  #length = 0;
  #blockBytes = firstBlockBytes;
  #takenBytes = 0;

  /** @param memory where large blocks come from, to be given back by `release` */
  constructor(memory?: BlockMemory) {
    this.#memory = memory;
  }

  /** Of everything that was written. */
  get byteLength(): number {
    return this.#takenBytes + this.#length;
  }

  /** What was written. Nothing may be written any more. */
  take(): readonly Buffer[] {
    this.#endBlock();
    return this.#blocks;
  }

  /** Gives the memory back: nobody reads any more what `take` gave. */
  release(): void {
    this.#memory?.give(this.#borrowed.splice(0));
  }

  null(): void {
    this.#reserve(4);
    this.#int4(-1);
  }

  bool(value: boolean): void {
    this.#reserve(5);
    this.#int4(1);
    this.#bytes[this.#length++] = value ? 1 : 0;
  }

  int4(value: number): void {
    this.#reserve(8);
    this.#int4(4);
    this.#int4(value);
  }

  int8(value: number): void {
    this.#reserve(12);
    this.#int4(8);
    this.#int8(value);
  }

  float8(value: number): void {
    this.#reserve(12);
    this.#int4(8);
    this.#length = this.#bytes.writeDoubleBE(value, this.#length);
  }

  /** The server counts µs since 2000. */
  timestamp(ms: number): void {
    this.#reserve(12);
    this.#int4(8);
    const sinceMs = ms - epochOf2000Ms;
    // In two steps: µs may need more than 53 bits.
    if (Number.isSafeInteger(sinceMs * 1000)) this.#int8(sinceMs * 1000);
    else this.#length = this.#bytes.writeBigInt64BE(BigInt(sinceMs) * 1000n, this.#length);
  }

  text(value: string): void {
    this.#reserve(4 + value.length * 3);
    const written = this.#writeText(value, this.#length + 4);
    this.#int4(written);
    this.#length += written;
  }

  bytes(value: Uint8Array): void {
    this.#reserve(4);
    this.#int4(value.length);
    this.raw(value);
  }

  /** A part of `source` as a bytea or text. */
  slice(source: Buffer, start: number, end: number): void {
    const length = end - start;
    if (length > largeBytes) {
      this.bytes(source.subarray(start, end));
      return;
    }
    this.#reserve(4 + length);
    this.#int4(length);
    const bytes = this.#bytes;
    const at = this.#length;
    if (length > shortBytes) source.copy(bytes, at, start, end);
    else for (let i = 0; i < length; i++) bytes[at + i] = source[start + i];
    this.#length = at + length;
  }

  /** Bytes that are whole fields already, or a part of one. */
  raw(value: Uint8Array): void {
    const { length } = value;
    if (length > largeBytes) {
      this.#addLarge(value);
      return;
    }
    this.#reserve(length);
    const bytes = this.#bytes;
    const at = this.#length;
    if (length > shortBytes) bytes.set(value, at);
    else for (let i = 0; i < length; i++) bytes[at + i] = value[i];
    this.#length = at + length;
  }

  /** Of version 1, which is its text. */
  jsonb(text: string | Uint8Array): void {
    const json = typeof text === 'string' ? Buffer.from(text) : text;
    this.#reserve(5);
    this.#int4(1 + json.length);
    this.#bytes[this.#length++] = 1;
    this.raw(json);
  }

  /** A bare number, outside of a field. */
  int2(value: number): void {
    this.#reserve(2);
    this.#bytes[this.#length++] = value >> 8;
    this.#bytes[this.#length++] = value;
  }

  #writeText(value: string, at: number): number {
    if (value.length > shortBytes) return this.#bytes.write(value, at);
    for (let i = 0; i < value.length; i++) {
      const code = value.charCodeAt(i);
      if (code >= 0x80) return this.#bytes.write(value, at);
      this.#bytes[at + i] = code;
    }
    return value.length;
  }

  #int4(value: number): void {
    const bytes = this.#bytes;
    const at = this.#length;
    bytes[at] = value >> 24;
    bytes[at + 1] = value >> 16;
    bytes[at + 2] = value >> 8;
    bytes[at + 3] = value;
    this.#length = at + 4;
  }

  #int8(value: number): void {
    const high = Math.floor(value / 0x1_0000_0000);
    this.#int4(high);
    this.#int4(value - high * 0x1_0000_0000);
  }

  #addLarge(value: Uint8Array): void {
    this.#endBlock();
    const view = Buffer.from(value.buffer, value.byteOffset, value.length);
    for (let at = 0; at < view.length; at += pieceBytes)
      this.#blocks.push(view.subarray(at, at + pieceBytes));
    this.#takenBytes += view.length;
  }

  #endBlock(): void {
    if (this.#length > 0) this.#blocks.push(this.#bytes.subarray(0, this.#length));
    this.#takenBytes += this.#length;
    this.#bytes = this.#bytes.subarray(this.#length);
    this.#length = 0;
  }

  #reserve(more: number): void {
    const needed = this.#length + more;
    if (needed <= this.#bytes.length) return;
    this.#endBlock();
    // Each is larger than the one before: a few rows take little.
    this.#blockBytes = Math.min(this.#blockBytes * 4, BlockMemory.blockBytes);
    if (
      this.#memory !== undefined &&
      this.#blockBytes === BlockMemory.blockBytes &&
      more <= this.#blockBytes
    ) {
      this.#bytes = this.#memory.take();
      this.#borrowed.push(this.#bytes);
    } else this.#bytes = Buffer.allocUnsafeSlow(Math.max(this.#blockBytes, more));
  }
}

const firstBlockBytes = 4 * 1024;
/** From this on a value is a block of its own. */
const largeBytes = 64 * 1024;
/** What goes into one message at most: the server holds each whole. */
const pieceBytes = 1024 * 1024;
/** Up to this a loop beats a call. */
const shortBytes = 24;
const epochOf2000Ms = Date.UTC(2000, 0, 1);
