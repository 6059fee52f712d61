import { commandName } from './command-names.js';

/** What a client may send; each limit is counted as the bytes arrive, never allocated ahead. */
export interface RequestLimits {
  /** Longest inline command line, in bytes. */
  readonly inlineBytes: number;
  readonly maxArguments: number;
  /** Longest single argument, in bytes. */
  readonly bulkBytes: number;
  /** All arguments of one command together, in bytes. */
  readonly requestBytes: number;
}

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
 * are for reading only. A protocol error ends the stream: `error` then holds the text for the client.
 * Hot: bench `server`.
 *
 * @example
 * parser.feed(chunk);
 * while (parser.next()) execute(parser.args);
 * if (parser.error !== undefined) closeWith(parser.error);
 */
export class RequestParser {
  /** The arguments of the command that `next` found; the command's name first. */
  args: Buffer[] = [];
  error: string | undefined;
  /** May change between commands. */
  limits: RequestLimits;
  #bytes: Buffer = noBytes;
  #at = 0;
  /** Chunks of a long argument, collected until it is whole. */
  #collected: Buffer[] = [];
  #collectedBytes = 0;
  #neededBytes = 0;
  /** Arguments still to come; -1 between commands. */
  #argumentsLeft = -1;
  /** Length of the argument whose bytes come next; -1 when its length line comes next. */
  #bulkLength = -1;
  #requestBytes = 0;
  #partial: Buffer[] = [];

  constructor(limits: RequestLimits = defaultRequestLimits) {
    this.limits = limits;
  }

  /** Bytes that wait for the rest of their command. */
  get bufferedBytes(): number {
    return this.#bytes.length - this.#at + this.#collectedBytes + this.#requestBytes;
  }

  feed(chunk: Buffer): void {
    if (this.#neededBytes > 0) {
      this.#collected.push(chunk);
      this.#collectedBytes += chunk.length;
      if (this.#collectedBytes < this.#neededBytes) return;
      this.#bytes = Buffer.concat(this.#collected, this.#collectedBytes);
      this.#collected = [];
      this.#collectedBytes = 0;
      this.#neededBytes = 0;
    } else if (this.#at < this.#bytes.length) {
      this.#bytes = Buffer.concat([this.#bytes.subarray(this.#at), chunk]);
    } else {
      this.#bytes = chunk;
    }
    this.#at = 0;
  }

  /** Moves to the next command; false when there is none yet, or none ever (`error`). */
  next(): boolean {
    if (this.error !== undefined || this.#neededBytes > 0) return false;
    if (this.#argumentsLeft < 0 && !this.#readCommandStart()) return false;
    if (this.#argumentsLeft < 0) return true; // an inline command is read whole
    while (this.#argumentsLeft > 0) if (!this.#readArgument()) return false;
    this.args = this.#partial;
    this.#partial = [];
    this.#argumentsLeft = -1;
    this.#requestBytes = 0;
    return true;
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

  /** From now on chunks are only collected, until there are `bytes` of them. */
  #collect(bytes: number): void {
    const rest = this.#bytes.subarray(this.#at);
    this.#collected = rest.length > 0 ? [rest] : [];
    this.#collectedBytes = rest.length;
    this.#neededBytes = bytes;
    this.#bytes = noBytes;
    this.#at = 0;
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

/**
 * Splits an inline line as Redis does: blanks separate, "…" knows \n \r \t \b \a \\ \" and \xHH, '…' knows \'.
 * Undefined when quotes do not match.
 */
const splitInline = (line: Buffer): Buffer[] | undefined => {
  const args: Buffer[] = [];
  const end = line.at(-1) === carriageReturn ? line.length - 1 : line.length;
  let at = 0;
  for (;;) {
    while (at < end && isBlank(line[at])) at++;
    if (at >= end) return args;
    const word: number[] = [];
    for (; at < end && !isBlank(line[at]); at++) {
      const quote = line[at];
      if (quote !== doubleQuote && quote !== singleQuote) {
        word.push(quote);
        continue;
      }
      const closing = readQuoted(line, at + 1, end, quote, word);
      if (closing < 0 || (closing + 1 < end && !isBlank(line[closing + 1]))) return undefined;
      at = closing;
    }
    args.push(Buffer.from(word));
  }
};

/** Appends a quoted string to `word`; returns the place of the closing quote, -1 when there is none. */
const readQuoted = (line: Buffer, start: number, end: number, quote: number, word: number[]): number => {
  for (let at = start; at < end; at++) {
    const byte = line[at];
    if (byte === quote) return at;
    if (byte !== backslash || at + 1 >= end || (quote === singleQuote && line[at + 1] !== singleQuote)) {
      word.push(byte);
      continue;
    }
    const hex = /^\\x([0-9a-fA-F]{2})/.exec(line.toString('latin1', at, at + 4));
    if (quote === doubleQuote && hex !== null) {
      word.push(Number.parseInt(hex[1] ?? '', 16));
      at += 3;
      continue;
    }
    const escaped = line[++at];
    word.push(quote === doubleQuote ? (escapes.get(escaped) ?? escaped) : escaped);
  }
  return -1;
};

const isBlank = (byte: number): boolean => byte === 0x20 || (byte >= 0x09 && byte <= 0x0d) || byte === 0;

const printable = (byte: number): string =>
  byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : `\\x${byte.toString(16).padStart(2, '0')}`;

const noBytes = Buffer.alloc(0);
const asterisk = 0x2a;
const dollar = 0x24;
const minus = 0x2d;
const zero = 0x30;
const carriageReturn = 0x0d;
const lineFeed = 0x0a;
const doubleQuote = 0x22;
const singleQuote = 0x27;
const backslash = 0x5c;
const escapes = new Map([
  [0x6e, 0x0a],
  [0x72, 0x0d],
  [0x74, 0x09],
  [0x62, 0x08],
  [0x61, 0x07],
]);
