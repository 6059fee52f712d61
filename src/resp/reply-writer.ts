import { ByteWriter } from './byte-writer.js';

/** Writes replies in RESP2, or in RESP3 once the client asked for it by HELLO 3. */
export class ReplyWriter {
  readonly out: ByteWriter;
  isResp3 = false;

  constructor(out: ByteWriter = new ByteWriter()) {
    this.out = out;
  }

  /** `+text`: a status without line breaks. */
  simple(text: string): void {
    this.#line(0x2b, text);
  }

  ok(): void {
    this.out.raw(okLine);
  }

  /** `-text`; line breaks in it become blanks, so that a client's own bytes cannot forge a second reply. */
  error(text: string): void {
    this.out.byte(0x2d);
    this.out.utf8(/[\r\n]/.test(text) ? text.replace(/[\r\n]+/g, ' ') : text);
    this.out.raw(lineEnd);
  }

  integer(value: number | bigint): void {
    if (typeof value === 'number') this.out.line(0x3a, value);
    else this.#line(0x3a, value.toString());
  }

  bulk(value: Uint8Array): void {
    this.out.bulk(value);
  }

  /** `bulk` of a part of `source`. */
  bulkSlice(source: Buffer, start: number, end: number): void {
    this.out.bulkSlice(source, start, end);
  }

  bulkText(text: string): void {
    this.bulk(Buffer.from(text));
  }

  lineEnd(): void {
    this.out.raw(lineEnd);
  }

  null(): void {
    this.out.raw(this.isResp3 ? nullResp3 : nullBulk);
  }

  /** The null of replies that are arrays. */
  nullArray(): void {
    this.out.raw(this.isResp3 ? nullResp3 : nullArrayResp2);
  }

  array(length: number): void {
    this.#header(0x2a, length);
  }

  /** A map of `length` pairs; in RESP2 a flat array. */
  map(length: number): void {
    if (this.isResp3) this.#header(0x25, length);
    else this.#header(0x2a, length * 2);
  }

  set(length: number): void {
    this.#header(this.isResp3 ? 0x7e : 0x2a, length);
  }

  push(length: number): void {
    this.#header(this.isResp3 ? 0x3e : 0x2a, length);
  }

  double(text: string): void {
    if (this.isResp3) this.#line(0x2c, text);
    else this.bulkText(text);
  }

  boolean(value: boolean): void {
    if (this.isResp3) this.#line(0x23, value ? 't' : 'f');
    else this.integer(value ? 1 : 0);
  }

  verbatim(text: string): void {
    const bytes = Buffer.from(text);
    if (!this.isResp3) {
      this.bulk(bytes);
      return;
    }
    this.#header(0x3d, bytes.length + 4);
    this.out.latin1('txt:');
    this.out.raw(bytes);
    this.out.raw(lineEnd);
  }

  #header(marker: number, length: number): void {
    this.out.line(marker, length);
  }

  #line(marker: number, text: string): void {
    this.out.byte(marker);
    this.out.latin1(text);
    this.out.raw(lineEnd);
  }
}

const lineEnd = Buffer.from('\r\n');
const okLine = Buffer.from('+OK\r\n');
const nullBulk = Buffer.from('$-1\r\n');
const nullArrayResp2 = Buffer.from('*-1\r\n');
const nullResp3 = Buffer.from('_\r\n');
