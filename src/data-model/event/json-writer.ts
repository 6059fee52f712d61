import { isUtf8 } from 'node:buffer';
import { ByteWriter } from '../../resp/index.js';

/**
 * Writes JSON text (UTF-8) at the end of a ByteWriter: `open`, any number of writes, `close`. `reserve` comes
 * before writes, which then don't check for room again. Hot; measured by bench `decode`.
 */
export class JsonWriter {
  #out = new ByteWriter(0);
  #bytes = noBytes;
  #length = 0;
  #lastDecimal = -1;
  #lastDigitsAt = 0;
  #lastDigits = 0;

  open(out: ByteWriter): void {
    this.#out = out;
    this.#length = out.length;
    this.#bytes = out.claim(0);
    this.#lastDecimal = -1;
  }

  close(): void {
    this.#out.advance(this.#length);
    this.#bytes = noBytes; // who gave the memory may let it go
  }

  reserve(more: number): void {
    if (this.#length + more <= this.#bytes.length) return;
    this.#out.advance(this.#length);
    this.#bytes = this.#out.claim(more);
  }

  /** Where in the output the next write goes. */
  get length(): number {
    return this.#length;
  }

  /** What was written before at `from` of the output, once more. */
  repeat(from: number, length: number): void {
    const bytes = this.#bytes;
    const start = this.#length;
    for (let at = 0; at < length; at++) bytes[start + at] = bytes[from + at];
    this.#length = start + length;
  }

  /** Text that is JSON already. */
  raw(json: Uint8Array): void {
    const { length } = json;
    const at = this.#length;
    if (length > shortBytes) this.#bytes.set(json, at);
    else for (let i = 0; i < length; i++) this.#bytes[at + i] = json[i];
    this.#length = at + length;
  }

  /** ASCII text that is JSON already. */
  ascii(json: string): void {
    const { length } = json;
    const at = this.#length;
    for (let i = 0; i < length; i++) this.#bytes[at + i] = json.charCodeAt(i);
    this.#length = at + length;
  }

  /** A whole number from 0. The same number again, as sequences often are, is copied. */
  decimal(value: number): void {
    const bytes = this.#bytes;
    const start = this.#length;
    if (value === this.#lastDecimal) {
      this.repeat(this.#lastDigitsAt, this.#lastDigits);
      return;
    }
    if (value > 0x7fff_ffff) this.ascii(String(value));
    else {
      let digits = 1;
      for (let limit = 10; digits < 10 && value >= limit; limit *= 10) digits++;
      let rest = value | 0;
      for (let at = start + digits - 1; at >= start; at--) {
        const quotient = (rest / 10) | 0;
        bytes[at] = 0x30 + rest - quotient * 10;
        rest = quotient;
      }
      this.#length = start + digits;
    }
    if (value < 10) return;
    this.#lastDecimal = value;
    this.#lastDigitsAt = start;
    this.#lastDigits = this.#length - start;
  }

  /**
   * A byte string: a JSON string when it is valid UTF-8, else `{"base64":"…"}`. Reserves for itself, and
   * `reserved` bytes more for what follows.
   */
  byteString(value: Uint8Array, reserved: number): void {
    const { length } = value;
    this.reserve(2 + length + reserved);
    const bytes = this.#bytes;
    const start = this.#length;
    bytes[start] = quote;
    let at = start + 1;
    if (length > shortBytes) {
      if (isPlain(value)) {
        bytes.set(value, at);
        at += length;
      } else {
        this.#special(value, reserved);
        return;
      }
    } else
      for (let i = 0; i < length; i++) {
        const byte = value[i];
        if (isPlainByte[byte] === 0) {
          this.#special(value, reserved);
          return;
        }
        bytes[at++] = byte;
      }
    bytes[at] = quote;
    this.#length = at + 1;
  }

  /** With characters to escape, or not UTF-8. */
  #special(value: Uint8Array, reserved: number): void {
    if (!isUtf8(value)) {
      this.reserve(base64Start.length + 4 * Math.ceil(value.length / 3) + base64End.length + reserved);
      this.raw(base64Start);
      const view = Buffer.from(value.buffer, value.byteOffset, value.length);
      for (let from = 0; from < view.length; from += base64PartBytes) {
        const part = view.toString('base64', from, Math.min(from + base64PartBytes, view.length));
        this.#length += this.#bytes.write(part, this.#length, 'latin1');
      }
      this.raw(base64End);
      return;
    }
    this.reserve(2 + maxEscapeBytes * value.length + reserved);
    const bytes = this.#bytes;
    let at = this.#length;
    bytes[at++] = quote;
    for (let i = 0; i < value.length; i++) {
      const byte = value[i];
      const escaped = byte < 0x80 ? escapes[byte] : undefined;
      if (escaped === undefined) bytes[at++] = byte;
      else for (let j = 0; j < escaped.length; j++) bytes[at++] = escaped[j];
    }
    bytes[at++] = quote;
    this.#length = at;
  }
}

const isPlain = (value: Uint8Array): boolean => {
  for (let i = 0; i < value.length; i++) if (isPlainByte[value[i]] === 0) return false;
  return true;
};

/** Bytes that stand for themselves in a JSON string and are UTF-8 on their own. */
const isPlainByte = Uint8Array.from({ length: 256 }, (_, byte) =>
  byte >= 0x20 && byte < 0x7f && byte !== 0x22 && byte !== 0x5c ? 1 : 0,
);

/** What stands for an ASCII character in a JSON string; undefined: itself. */
const escapes: readonly (Buffer | undefined)[] = Array.from({ length: 0x80 }, (_, code) => {
  const escaped = JSON.stringify(String.fromCharCode(code)).slice(1, -1);
  return escaped.length > 1 ? Buffer.from(escaped) : undefined;
});

const maxEscapeBytes = 6;
const quote = 0x22;
const base64Start = Buffer.from('{"base64":"');
const base64End = Buffer.from('"}');
/** A multiple of 3, so that parts join; a text as a whole could be longer than a string of JavaScript may be. */
const base64PartBytes = 3 * 1024 * 1024;
/** Up to this a loop beats a call. */
const shortBytes = 24;
const noBytes: Buffer = Buffer.alloc(0);
