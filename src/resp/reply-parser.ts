/** An error reply, as a value. */
export class ReplyError extends Error {
  /** The first word, such as `ERR`, `WRONGTYPE`, `MOVED`. */
  get code(): string {
    return this.message.split(' ', 1)[0] ?? '';
  }
}

/** A reply: status lines are strings, bulk strings Buffers (owned), maps and sets flat arrays. */
export type Reply = string | number | bigint | boolean | Buffer | null | ReplyError | Reply[];

/** An array whose items are still arriving. */
interface OpenArray {
  readonly items: Reply[];
  left: number;
}

/**
 * Reads replies (RESP2 and RESP3) from the bytes of a connection, whole or in pieces. What was read of an array is
 * kept while the rest arrives, so each byte is looked at once. Hot; measured by benches `redis-sink`, `pollupdates`.
 */
export class ReplyParser {
  #bytes: Buffer = Buffer.allocUnsafeSlow(initialBytes);
  #start = 0;
  #end = 0;
  /** No attempt is made before this many bytes are there. */
  #neededEnd = 0;
  readonly #open: OpenArray[] = [];

  feed(chunk: Uint8Array): void {
    if (this.#end + chunk.length > this.#bytes.length) this.#makeRoom(chunk.length);
    this.#bytes.set(chunk, this.#end);
    this.#end += chunk.length;
  }

  /** The next reply, or undefined when it is not whole yet. @throws RangeError for bytes that are no RESP */
  next(): Reply | undefined {
    while (this.#start < this.#end && this.#end >= this.#neededEnd) {
      const reply = this.#read();
      if (reply === undefined) return undefined;
      if (this.#start === this.#end) this.#startAnew();
      const whole = reply === opened ? this.#closeArrays() : this.#add(reply);
      if (whole !== undefined) return whole;
    }
    return undefined;
  }

  /** Puts a reply in its place; returns what is whole with it at the outermost level. */
  #add(reply: Reply): Reply | undefined {
    const array = this.#open.at(-1);
    if (array === undefined) return reply;
    array.items.push(reply);
    array.left--;
    return this.#closeArrays();
  }

  #closeArrays(): Reply | undefined {
    for (let array = this.#open.at(-1); array?.left === 0; array = this.#open.at(-1)) {
      this.#open.pop();
      const outer = this.#open.at(-1);
      if (outer === undefined) return array.items;
      outer.items.push(array.items);
      outer.left--;
    }
    return undefined;
  }

  /** One reply that is no array, or the head of an array, which is then open; undefined when it is not whole. */
  #read(): Reply | typeof opened | undefined {
    const start = this.#start + 1;
    const lineEnd = this.#bytes.indexOf(0x0a, start);
    if (lineEnd < 0 || lineEnd >= this.#end) {
      // Whoever sends so much of a line speaks another protocol, and would be listened to for ever.
      if (this.#end - start > maxLineBytes)
        throw new RangeError('a reply begins with a line that has no end');
      return undefined;
    }
    const end = lineEnd - 1;
    const marker = this.#bytes[this.#start];
    switch (marker) {
      case 0x24: // $
      case 0x3d: // =
      case 0x21: // !
        return this.#readBulk(this.#length(start, end), marker, lineEnd + 1);
    }
    this.#start = lineEnd + 1;
    switch (marker) {
      case 0x2b: // +
        return this.#readStatus(start, end);
      case 0x2d: // -
        return new ReplyError(this.#text(start, end));
      case 0x3a: // :
        return parseInteger(this.#text(start, end));
      case 0x28: // (
        return BigInt(this.#text(start, end));
      case 0x2c: // ,
        return Number(this.#text(start, end).replace('inf', 'Infinity'));
      case 0x23: // #
        return this.#text(start, end) === 't';
      case 0x5f: // _
        return null;
      case 0x2a: // *
      case 0x7e: // ~
      case 0x3e: // >
        return this.#openArray(this.#length(start, end));
      case 0x25: // %
        return this.#openArray(this.#length(start, end) * 2);
      default:
        throw new RangeError(`unexpected byte 0x${marker.toString(16)} where a reply begins`);
    }
  }

  /** The two that come by the thousand, one for each command in bulk, are not read out as new text each time. */
  #readStatus(start: number, end: number): string {
    const bytes = this.#bytes;
    if (end - start === 2 && bytes[start] === 0x4f && bytes[start + 1] === 0x4b) return 'OK';
    if (end - start !== queued.length) return this.#text(start, end);
    for (let i = 0; i < queued.length; i++) if (bytes[start + i] !== queued[i]) return this.#text(start, end);
    return 'QUEUED';
  }

  #readBulk(length: number, marker: number, at: number): Reply | undefined {
    if (length < 0) {
      this.#start = at;
      return null;
    }
    const end = at + length;
    if (end + 2 > this.#end) {
      this.#neededEnd = end + 2;
      return undefined;
    }
    const bytes = Buffer.from(this.#bytes.subarray(at, end));
    this.#start = end + 2;
    this.#neededEnd = 0;
    if (marker === 0x21) return new ReplyError(bytes.toString());
    return marker === 0x3d ? bytes.subarray(4) : bytes;
  }

  #openArray(length: number): typeof opened | null {
    if (length < 0) return null;
    if (this.#open.length > maxDepth) throw new RangeError('replies are nested too deeply');
    this.#open.push({ items: [], left: length });
    return opened;
  }

  #text(start: number, end: number): string {
    return this.#bytes.toString('utf8', start, end);
  }

  #length(start: number, end: number): number {
    const length = Number(this.#bytes.toString('latin1', start, end));
    if (!Number.isSafeInteger(length)) throw new RangeError('a length that is no number in a reply');
    return length;
  }

  /** Everything was read: in the same memory, unless a huge reply made it so large that it must not stay. */
  #startAnew(): void {
    this.#start = this.#end = 0;
    if (this.#bytes.length > maxReusedBytes) this.#bytes = Buffer.allocUnsafeSlow(initialBytes);
  }

  #makeRoom(more: number): void {
    const kept = this.#end - this.#start;
    const needed = kept + more;
    // Beyond the bulk string that is arriving no more is known to come.
    const wanted = this.#neededEnd > 0 ? Math.max(needed, this.#neededEnd - this.#start) : needed * 2;
    const capacity = Math.min(needed * 2, wanted + initialBytes);
    const target = needed > this.#bytes.length ? Buffer.allocUnsafeSlow(capacity) : this.#bytes;
    this.#bytes.copy(target, 0, this.#start, this.#end);
    this.#bytes = target;
    if (this.#neededEnd > 0) this.#neededEnd -= this.#start;
    this.#start = 0;
    this.#end = kept;
  }
}

/** Stands for the head of an array among what was read. */
const opened = Symbol('an array was opened');
const maxDepth = 64;
/** Only bulk strings are longer. */
const maxLineBytes = 1024 * 1024;
const initialBytes = 16 * 1024;
const maxReusedBytes = 32 * 1024 * 1024;
const queued = Buffer.from('QUEUED');

const parseInteger = (text: string): number | bigint => {
  const value = Number(text);
  return Number.isSafeInteger(value) ? value : BigInt(text);
};
