/** An error reply, as a value. */
export class ReplyError extends Error {
  /** The first word, such as `ERR`, `WRONGTYPE`, `MOVED`. */
  get code(): string {
    return this.message.split(' ', 1)[0] ?? '';
  }
}

/** A reply: status lines are strings, bulk strings Buffers (owned), maps and sets flat arrays. */
export type Reply = string | number | bigint | boolean | Buffer | null | ReplyError | Reply[];

/** Reads replies (RESP2 and RESP3) from the bytes of a connection, whole or in pieces. */
export class ReplyParser {
  #bytes: Buffer = Buffer.allocUnsafeSlow(16 * 1024);
  #start = 0;
  #end = 0;
  #at = 0;
  /** No attempt is made before this many bytes are there. */
  #neededEnd = 0;

  feed(chunk: Uint8Array): void {
    if (this.#end + chunk.length > this.#bytes.length) this.#makeRoom(chunk.length);
    this.#bytes.set(chunk, this.#end);
    this.#end += chunk.length;
  }

  /** The next reply, or undefined when it is not whole yet. @throws RangeError for bytes that are no RESP */
  next(): Reply | undefined {
    if (this.#start >= this.#end || this.#end < this.#neededEnd) return undefined;
    this.#at = this.#start;
    const reply = this.#read(0);
    if (reply === undefined) return undefined;
    this.#start = this.#at;
    this.#neededEnd = 0;
    if (this.#start === this.#end) this.#start = this.#end = 0;
    return reply;
  }

  #read(depth: number): Reply | undefined {
    if (depth > maxDepth) throw new RangeError('replies are nested too deeply');
    const lineStart = this.#at + 1;
    const lineEnd = this.#bytes.indexOf(0x0a, lineStart);
    if (lineEnd < 0 || lineEnd >= this.#end) return undefined;
    const marker = this.#bytes[this.#at];
    this.#at = lineEnd + 1;
    const line = (): string => this.#bytes.toString('utf8', lineStart, lineEnd - 1);
    switch (marker) {
      case 0x2b: // +
        return line();
      case 0x2d: // -
        return new ReplyError(line());
      case 0x3a: // :
        return parseInteger(line());
      case 0x28: // (
        return BigInt(line());
      case 0x2c: // ,
        return Number(line().replace('inf', 'Infinity'));
      case 0x23: // #
        return line() === 't';
      case 0x5f: // _
        return null;
      case 0x24: // $
      case 0x3d: // =
      case 0x21: // !
        return this.#readBulk(this.#length(lineStart, lineEnd), marker);
      case 0x2a: // *
      case 0x7e: // ~
      case 0x3e: // >
        return this.#readArray(this.#length(lineStart, lineEnd), depth);
      case 0x25: // %
        return this.#readArray(this.#length(lineStart, lineEnd) * 2, depth);
      default:
        throw new RangeError(`unexpected byte 0x${marker.toString(16)} where a reply begins`);
    }
  }

  #readBulk(length: number, marker: number): Reply | undefined {
    if (length < 0) return null;
    const end = this.#at + length;
    if (end + 2 > this.#end) {
      this.#neededEnd = end + 2;
      return undefined;
    }
    const bytes = Buffer.from(this.#bytes.subarray(this.#at, end));
    this.#at = end + 2;
    if (marker === 0x21) return new ReplyError(bytes.toString());
    return marker === 0x3d ? bytes.subarray(4) : bytes;
  }

  #readArray(length: number, depth: number): Reply[] | null | undefined {
    if (length < 0) return null;
    const items: Reply[] = [];
    for (let i = 0; i < length; i++) {
      if (this.#at >= this.#end) return undefined;
      const item = this.#read(depth + 1);
      if (item === undefined) return undefined;
      items.push(item);
    }
    return items;
  }

  #length(start: number, end: number): number {
    const length = Number(this.#bytes.toString('latin1', start, end - 1));
    if (!Number.isSafeInteger(length)) throw new RangeError('a length that is no number in a reply');
    return length;
  }

  #makeRoom(more: number): void {
    const kept = this.#end - this.#start;
    const needed = kept + more;
    const target = needed > this.#bytes.length ? Buffer.allocUnsafeSlow(needed * 2) : this.#bytes;
    this.#bytes.copy(target, 0, this.#start, this.#end);
    this.#bytes = target;
    if (this.#neededEnd > 0) this.#neededEnd -= this.#start;
    this.#start = 0;
    this.#end = kept;
  }
}

const maxDepth = 64;

const parseInteger = (text: string): number | bigint => {
  const value = Number(text);
  return Number.isSafeInteger(value) ? value : BigInt(text);
};
