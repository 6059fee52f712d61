import { MalformedDump } from './dumped-value.js';

/** A reading place in a dump: each read is checked against the end. @throws MalformedDump */
export class DumpReader {
  readonly bytes: Buffer;
  at = 0;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
  }

  get isAtEnd(): boolean {
    return this.at >= this.bytes.length;
  }

  byte(): number {
    return this.bytes[this.#take(1)];
  }

  /** Borrowed. */
  slice(length: number): Buffer {
    const start = this.#take(length);
    return this.bytes.subarray(start, start + length);
  }

  u16(): number {
    return this.bytes.readUInt16LE(this.#take(2));
  }

  u32(): number {
    return this.bytes.readUInt32LE(this.#take(4));
  }

  u32BigEndian(): number {
    return this.bytes.readUInt32BE(this.#take(4));
  }

  /** A signed number of 1, 2, 3, 4 or 8 bytes, little-endian, as text: that is what it stands for. */
  integerText(byteLength: number): Buffer {
    const start = this.#take(byteLength);
    const value =
      byteLength === 8 ? this.bytes.readBigInt64LE(start) : this.bytes.readIntLE(start, byteLength);
    return Buffer.from(String(value));
  }

  double(): number {
    return this.bytes.readDoubleLE(this.#take(8));
  }

  skip(length: number): void {
    this.#take(length);
  }

  #take(length: number): number {
    const start = this.at;
    if (length > this.bytes.length - start) throw new MalformedDump('the dump ends early');
    this.at = start + length;
    return start;
  }
}
