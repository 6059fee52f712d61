/**
 * Splits an inline line as Redis does: blanks separate, "…" knows \n \r \t \b \a \\ \" and \xHH, '…' knows \'.
 * Undefined when quotes do not match.
 */
export const splitInline = (line: Buffer): Buffer[] | undefined => {
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

const carriageReturn = 0x0d;
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
