import { isUtf8 } from 'node:buffer';

/**
 * A growing buffer of JSON text (UTF-8). `reserve` comes first, then any number of writes that fit in what was
 * reserved: they don't check again. Hot; measured by bench `decode`.
 */
export class JsonWriter {
  #bytes = Buffer.allocUnsafeSlow(initialBytes);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** What was written. Borrowed until the next write. */
  get bytes(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }

  /** A copy of what was written, and starts anew. The caller owns the bytes. */
  take(): Buffer {
    const taken = Buffer.from(this.bytes);
    this.#length = 0;
    return taken;
  }

  clear(): void {
    this.#length = 0;
  }

  reserve(more: number): void {
    const needed = this.#length + more;
    if (needed <= this.#bytes.length) return;
    const grown = Buffer.allocUnsafeSlow(Math.max(needed, 2 * this.#bytes.length));
    this.#bytes.copy(grown, 0, 0, this.#length);
    this.#bytes = grown;
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

  /** A whole number from 0. */
  decimal(value: number): void {
    if (value > 0xffff_ffff) {
      this.ascii(String(value));
      return;
    }
    let digits = 1;
    for (let limit = 10; digits < 10 && value >= limit; limit *= 10) digits++;
    let rest = value;
    for (let at = this.#length + digits - 1; at >= this.#length; at--) {
      const quotient = Math.floor(rest / 10);
      this.#bytes[at] = 0x30 + (rest - quotient * 10);
      rest = quotient;
    }
    this.#length += digits;
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
      this.#length += this.#bytes.write(view.toString('base64'), this.#length, 'latin1');
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
/** Below this a loop beats a call. */
const shortBytes = 48;
const initialBytes = 64 * 1024;
