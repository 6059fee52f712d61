import type { ArgumentViews } from './argument-views.js';
import { commandName } from './command-names.js';
import { splitInline } from './inline-request.js';

/** What a client may send. Memory is taken as the bytes arrive, not as they are announced. */
export interface RequestLimits {
  /** Longest inline command line, in bytes. */
  readonly inlineBytes: number;
  readonly maxArguments: number;
  /** Longest single argument, in bytes. */
  readonly bulkBytes: number;
  /** All arguments of one command together, in bytes. */
  readonly requestBytes: number;
}

/** The limits that Redis has by default, and 1 GiB for a whole command. */
export const defaultRequestLimits: RequestLimits = {
  inlineBytes: 64 * 1024,
  maxArguments: 1024 * 1024,
  bulkBytes: 512 * 1024 * 1024,
  requestBytes: 1024 * 1024 * 1024,
};

/** Enough to authenticate, and too little to fill memory with. */
export const unauthenticatedRequestLimits: RequestLimits = {
  inlineBytes: 64 * 1024,
  maxArguments: 10,
  bulkBytes: 16 * 1024,
  requestBytes: 64 * 1024,
};

/**
 * Reads commands from the bytes of a connection, whole or in pieces: RESP arrays of bulk strings, and inline lines.
 *
 * Arguments are views of the chunks where they lie in one chunk, copies where they do not, and names are shared: they
 * are for reading only, and valid until the chunk's memory is used again. A protocol error ends the stream: `error`
 * then holds the text for the client.
 * Hot: bench `server`.
 *
 * @example
 * parser.feed(chunk);
 * while (parser.next()) execute(parser.args);
 * parser.keep(); // where the chunk's memory will be used again
 * if (parser.error !== undefined) closeWith(parser.error);
 */
export class RequestParser {
  /** The arguments of the command that `next` found; the command's name first. Good until the next `next`. */
  args: Buffer[] = [];
  error: string | undefined;
  /** May change between commands. */
  limits: RequestLimits;
  #bytes: Buffer = noBytes;
  #at = 0;
  /** A long argument and its line end, as far as they have come: the first `#collectedBytes` of it. */
  #collected: Buffer = noBytes;
  #collectedBytes = 0;
  /** 0 while nothing is collected. */
  #neededBytes = 0;
  /** Arguments still to come; -1 between commands. */
  #argumentsLeft = -1;
  /** Length of the argument whose bytes come next; -1 when its length line comes next. */
  #bulkLength = -1;
  #requestBytes = 0;
  #partial: Buffer[] = [];
  /** The arrays that plain commands have their arguments in, by how many they have: a new one for each would cost more. */
  readonly #plainArgs: readonly Buffer[][] = Array.from({ length: maxPlainArguments + 1 }, (_, count) =>
    Array.from({ length: count }, () => noBytes),
  );
  /** So many of `#partial` are not views of a chunk that is gone by now. */
  #keptArguments = 0;
  /** Whether `#bytes` is a chunk whose memory is the caller's. */
  #isBorrowed = false;
  /** Views of that memory, where the caller has them. */
  #views: ArgumentViews | undefined;
  /** The key of the command before, when it lies in this chunk: commands on one key often come together. */
  #key: Buffer | undefined;
  #keyAt = 0;

  constructor(limits: RequestLimits = defaultRequestLimits) {
    this.limits = limits;
  }

  /** Bytes that wait for the rest of their command. */
  get bufferedBytes(): number {
    const announcedBytes = Math.max(0, this.#bulkLength);
    return this.#bytes.length - this.#at + this.#collectedBytes + this.#requestBytes - announcedBytes;
  }

  /** Takes a chunk, borrowed until `keep`; `views` are those of the memory that it is the start of. */
  feed(chunk: Buffer, views?: ArgumentViews): void {
    this.#views = undefined;
    if (this.#neededBytes > 0) {
      const taken = Math.min(chunk.length, this.#neededBytes - this.#collectedBytes);
      this.#collectFrom(chunk, taken);
      if (this.#collectedBytes < this.#neededBytes) return;
      this.#bytes = chunk.subarray(taken);
      this.#isBorrowed = true;
    } else if (this.#at < this.#bytes.length) {
      this.#bytes = Buffer.concat([this.#bytes.subarray(this.#at), chunk]);
    } else {
      this.#bytes = chunk;
      this.#isBorrowed = true;
      this.#views = views;
    }
    this.#at = 0;
    this.#key = undefined;
  }

  /** Copies what was not read of the chunk that was fed last, and lets go of it: its memory may be used again. */
  keep(): void {
    if (!this.#isBorrowed) return;
    this.#isBorrowed = false;
    this.#views = undefined;
    this.#key = undefined;
    for (let i = this.#keptArguments; i < this.#partial.length; i++)
      this.#partial[i] = Buffer.from(this.#partial[i]);
    this.#keptArguments = this.#partial.length;
    this.#bytes = this.#at < this.#bytes.length ? Buffer.from(this.#bytes.subarray(this.#at)) : noBytes;
    this.#at = 0;
  }

  /** Moves to the next command; false when there is none yet, or none ever (`error`). */
  next(): boolean {
    if (this.error !== undefined || this.#collectedBytes < this.#neededBytes) return false;
    if (this.#argumentsLeft < 0) {
      if (this.#readWhole()) return true;
      this.args = noArguments; // they may be large, and nothing more may come
      if (!this.#readCommandStart()) return false;
    }
    if (this.#argumentsLeft < 0) return true; // an inline command is read whole
    while (this.#argumentsLeft > 0) if (!this.#readArgument()) return false;
    this.args = this.#partial;
    this.#partial = [];
    this.#keptArguments = 0;
    this.#argumentsLeft = -1;
    this.#requestBytes = 0;
    return true;
  }

  /**
   * Reads a plain command that lies whole in the chunk, in one go: what nearly every command is. False, and nothing is
   * read, for any other, and for one that is wrong: the careful way tells.
   */
  #readWhole(): boolean {
    const bytes = this.#bytes;
    const { length } = bytes;
    let at = this.#at;
    const count = bytes[at + 1] - zero;
    if (
      bytes[at] !== asterisk ||
      !(count > 0 && count <= maxPlainArguments) ||
      bytes[at + 2] !== carriageReturn
    )
      return false;
    if (bytes[at + 3] !== lineFeed || count > this.limits.maxArguments) return false;
    at += 4;
    const args = this.#plainArgs[count];
    for (let i = 0; i < count; i++) {
      if (bytes[at++] !== dollar) return false;
      let argumentBytes = 0;
      for (let digits = 0; bytes[at] !== carriageReturn; at++, digits++) {
        const digit = bytes[at] - zero;
        if (!(digit >= 0 && digit <= 9) || digits >= maxPlainDigits) return false;
        argumentBytes = argumentBytes * 10 + digit;
      }
      const start = at + 2;
      const end = start + argumentBytes;
      if (end + 2 > length || start === end || bytes[at + 1] !== lineFeed) return false;
      if (bytes[end] !== carriageReturn || bytes[end + 1] !== lineFeed) return false;
      if (i === 0) args[0] = commandName(bytes, start, end);
      else if (i === 1) args[1] = this.#keyFrom(bytes, start, end);
      else args[i] = this.#viewOf(bytes, start, end);
      at = end + 2;
    }
    const read = at - this.#at;
    if (read > this.limits.bulkBytes || read > this.limits.requestBytes) return false;
    this.args = args;
    this.#at = at;
    return true;
  }

  /** The view of the key before, when it is the same one. */
  #keyFrom(bytes: Buffer, start: number, end: number): Buffer {
    const known = this.#key;
    const shift = start - this.#keyAt;
    if (known !== undefined && known.length === end - start) {
      let at = end - 1;
      while (at >= start && bytes[at] === bytes[at - shift]) at--;
      if (at < start) return known;
    }
    const key = this.#viewOf(bytes, start, end);
    this.#key = key;
    this.#keyAt = start;
    return key;
  }

  #viewOf(bytes: Buffer, start: number, end: number): Buffer {
    return this.#views === undefined ? bytes.subarray(start, end) : this.#views.of(start, end);
  }

  /** Reads `*n`, passing over empty commands; or a whole inline command, which leaves `#argumentsLeft` at -1. */
  #readCommandStart(): boolean {
    while (this.#at < this.#bytes.length) {
      if (this.#bytes[this.#at] !== asterisk) {
        if (!this.#readInline()) return false;
        if (this.args.length > 0) return true;
        continue;
      }
      const count = this.#readLengthLine('invalid multibulk length', this.limits.maxArguments);
      if (count === undefined) return false;
      if (count <= 0) continue;
      this.#argumentsLeft = count;
      return true;
    }
    return false;
  }

  #readArgument(): boolean {
    if (this.#neededBytes > 0) return this.#takeCollected();
    if (this.#bulkLength < 0) {
      if (this.#at >= this.#bytes.length) return false;
      const first = this.#bytes[this.#at];
      if (first !== dollar) return this.#fail(`expected '$', got '${printable(first)}'`);
      const length = this.#readLengthLine('invalid bulk length', this.limits.bulkBytes);
      if (length === undefined) return false;
      if (length < 0) return this.#fail('invalid bulk length');
      this.#requestBytes += length;
      if (this.#requestBytes > this.limits.requestBytes) return this.#fail('too big request');
      this.#bulkLength = length;
    }
    const end = this.#at + this.#bulkLength;
    if (end + 2 > this.#bytes.length) {
      this.#collect(this.#bulkLength + 2);
      return false;
    }
    if (this.#bytes[end] !== carriageReturn || this.#bytes[end + 1] !== lineFeed)
      return this.#fail('invalid bulk terminator');
    const isName = this.#partial.length === 0;
    this.#partial.push(
      isName ? commandName(this.#bytes, this.#at, end) : this.#bytes.subarray(this.#at, end),
    );
    this.#at = end + 2;
    this.#bulkLength = -1;
    this.#argumentsLeft--;
    return true;
  }

  /** From now on bytes are only collected, until there are `bytes` of them. */
  #collect(bytes: number): void {
    const rest = this.#bytes.subarray(this.#at);
    this.#neededBytes = bytes;
    this.#collectFrom(rest, rest.length);
    this.#bytes = noBytes;
    this.#at = 0;
  }

  /**
   * Into memory of the whole length once an eighth of it has come: a large argument is copied about once, and who only
   * announces one takes no memory.
   */
  #collectFrom(chunk: Buffer, length: number): void {
    const collectedBytes = this.#collectedBytes + length;
    if (collectedBytes > this.#collected.length) {
      const grown = Buffer.allocUnsafe(
        Math.min(this.#neededBytes, Math.max(collectedBytes * 8, leastCollectedBytes)),
      );
      this.#collected.copy(grown, 0, 0, this.#collectedBytes);
      this.#collected = grown;
    }
    chunk.copy(this.#collected, this.#collectedBytes, 0, length);
    this.#collectedBytes = collectedBytes;
  }

  #takeCollected(): boolean {
    const bytes = this.#collected;
    const end = this.#bulkLength;
    this.#collected = noBytes;
    this.#collectedBytes = 0;
    this.#neededBytes = 0;
    if (bytes[end] !== carriageReturn || bytes[end + 1] !== lineFeed)
      return this.#fail('invalid bulk terminator');
    this.#partial.push(bytes.subarray(0, end));
    this.#keptArguments = this.#partial.length;
    this.#bulkLength = -1;
    this.#argumentsLeft--;
    return true;
  }

  /** The number behind `*` or `$`; undefined when the line is not whole yet, or wrong. */
  #readLengthLine(fault: string, limit: number): number | undefined {
    const bytes = this.#bytes;
    let at = this.#at + 1;
    const isNegative = bytes[at] === minus;
    if (isNegative) at++;
    const firstDigit = at;
    let value = 0;
    for (; at < bytes.length && bytes[at] !== carriageReturn; at++) {
      const digit = bytes[at] - zero;
      if (digit < 0 || digit > 9 || at - firstDigit > 10) {
        this.#fail(fault);
        return undefined;
      }
      value = value * 10 + digit;
    }
    if (at + 1 >= bytes.length) return undefined;
    if (at === firstDigit || bytes[at + 1] !== lineFeed || (value > limit && !isNegative)) {
      this.#fail(fault);
      return undefined;
    }
    this.#at = at + 2;
    return isNegative ? -value : value;
  }

  #readInline(): boolean {
    const end = this.#bytes.indexOf(lineFeed, this.#at);
    const length = (end < 0 ? this.#bytes.length : end) - this.#at;
    if (length > this.limits.inlineBytes) return this.#fail('too big inline request');
    if (end < 0) return false;
    const args = splitInline(this.#bytes.subarray(this.#at, end));
    if (args === undefined) return this.#fail('unbalanced quotes in request');
    this.args = args;
    this.#at = end + 1;
    return true;
  }

  #fail(reason: string): false {
    this.error = `ERR Protocol error: ${reason}`;
    this.#bytes = noBytes;
    this.#at = 0;
    this.#partial = [];
    return false;
  }
}

const printable = (byte: number): string =>
  byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : `\\x${byte.toString(16).padStart(2, '0')}`;

const noBytes = Buffer.alloc(0);
const noArguments: Buffer[] = [];
const asterisk = 0x2a;
const dollar = 0x24;
const minus = 0x2d;
const zero = 0x30;
const carriageReturn = 0x0d;
const lineFeed = 0x0a;
const leastCollectedBytes = 1024;
/** As many as one digit tells. */
const maxPlainArguments = 9;
/** Lengths up to here are read in one go: a chunk holds no longer argument whole. */
const maxPlainDigits = 6;
