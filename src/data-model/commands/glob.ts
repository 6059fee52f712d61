/**
 * Redis' glob patterns: `*`, `?`, `[a-c]`, `[^a]`, `\x`. Compiled once per command, then matched in time
 * linear in pattern × text: on a mismatch it goes back to the last `*` only, never to those before, so that no
 * pattern can make a walk of the keys explode.
 */
export interface Glob {
  readonly matches: (text: Uint8Array) => boolean;
  /** What every matching text starts with: where a walk of sorted keys may begin and end. */
  readonly prefix: Buffer;
}

type Token =
  | { readonly kind: 'star' }
  | { readonly kind: 'any' }
  | { readonly kind: 'byte'; readonly byte: number }
  | { readonly kind: 'class'; readonly bytes: Uint8Array };

export const compileGlob = (pattern: Uint8Array): Glob => {
  const tokens = tokenize(pattern);
  const literals = tokens.findIndex((token) => token.kind !== 'byte');
  const prefix = Buffer.from(
    (literals < 0 ? tokens : tokens.slice(0, literals)).flatMap((token) =>
      token.kind === 'byte' ? [token.byte] : [],
    ),
  );
  return { matches: (text) => matchTokens(tokens, text), prefix };
};

/** The pattern that matches everything. */
export const anyText: Glob = { matches: () => true, prefix: Buffer.alloc(0) };

const matchTokens = (tokens: readonly Token[], text: Uint8Array): boolean => {
  let token = 0;
  let at = 0;
  let star = -1;
  let starAt = 0;
  while (at < text.length) {
    const current = tokens[token];
    if (current?.kind === 'star') {
      star = token++;
      starAt = at;
    } else if (current !== undefined && matchesByte(current, text[at])) {
      token++;
      at++;
    } else if (star >= 0) {
      token = star + 1;
      at = ++starAt;
    } else return false;
  }
  while (tokens[token]?.kind === 'star') token++;
  return token === tokens.length;
};

const matchesByte = (token: Token, byte: number): boolean =>
  token.kind === 'any' ||
  (token.kind === 'byte' && token.byte === byte) ||
  (token.kind === 'class' && token.bytes[byte] === 1);

const tokenize = (pattern: Uint8Array): Token[] => {
  const tokens: Token[] = [];
  for (let i = 0; i < pattern.length; i++) {
    const byte = pattern[i];
    if (byte === star) {
      if (tokens.at(-1)?.kind !== 'star') tokens.push({ kind: 'star' });
    } else if (byte === question) tokens.push({ kind: 'any' });
    else if (byte === openBracket) {
      const { token, end } = readClass(pattern, i + 1);
      tokens.push(token);
      i = end;
    } else {
      const isEscape = byte === backslash && i + 1 < pattern.length;
      tokens.push({ kind: 'byte', byte: isEscape ? pattern[++i] : byte });
    }
  }
  return tokens;
};

/** Reads a class from behind its `[`; `end` is the place of its `]`, or the pattern's last byte without one. */
const readClass = (pattern: Uint8Array, start: number): { token: Token; end: number } => {
  const bytes = new Uint8Array(256);
  const isNegated = pattern[start] === caret;
  let i = isNegated ? start + 1 : start;
  for (; i < pattern.length && pattern[i] !== closeBracket; i++) {
    if (pattern[i] === backslash && i + 1 < pattern.length) bytes[pattern[++i]] = 1;
    else if (pattern[i + 1] === hyphen && i + 2 < pattern.length) {
      const [low, high] = [pattern[i], pattern[i + 2]];
      for (let byte = Math.min(low, high); byte <= Math.max(low, high); byte++) bytes[byte] = 1;
      i += 2;
    } else bytes[pattern[i]] = 1;
  }
  if (isNegated) for (let byte = 0; byte < 256; byte++) bytes[byte] = bytes[byte] ^ 1;
  return { token: { kind: 'class', bytes }, end: Math.min(i, pattern.length - 1) };
};

const star = 0x2a;
const question = 0x3f;
const openBracket = 0x5b;
const backslash = 0x5c;
const closeBracket = 0x5d;
const caret = 0x5e;
const hyphen = 0x2d;
