/**
 * True when a byte string matches a glob as Redis defines it: `*`, `?`, `[abc]`, `[^a-z]`, `\` to escape. Takes at most
 * pattern length × subject length steps: no pattern is as slow as a backtracking regular expression can be.
 */
export const matchesGlob = (pattern: Uint8Array, subject: Uint8Array): boolean => {
  let p = 0;
  let s = 0;
  let starAt = -1;
  let starSubject = 0;
  while (s < subject.length) {
    if (p < pattern.length && pattern[p] === star) {
      starAt = p++;
      starSubject = s;
      continue;
    }
    const end = p < pattern.length ? matchOne(pattern, p, subject[s]) : -1;
    if (end >= 0) {
      p = end;
      s++;
      continue;
    }
    if (starAt < 0) return false;
    // The last star takes one byte more.
    p = starAt + 1;
    s = ++starSubject;
  }
  while (p < pattern.length && pattern[p] === star) p++;
  return p === pattern.length;
};

/** Place behind the pattern element at `at` when it matches `byte`, else -1. */
const matchOne = (pattern: Uint8Array, at: number, byte: number): number => {
  const element = pattern[at];
  if (element === question) return at + 1;
  if (element === openBracket) return matchSet(pattern, at + 1, byte);
  if (element === backslash && at + 1 < pattern.length) return pattern[at + 1] === byte ? at + 2 : -1;
  return element === byte ? at + 1 : -1;
};

const matchSet = (pattern: Uint8Array, start: number, byte: number): number => {
  let at = start;
  const isNegated = pattern[at] === caret;
  if (isNegated) at++;
  let isMember = false;
  while (at < pattern.length && pattern[at] !== closeBracket) {
    if (pattern[at] === backslash && at + 1 < pattern.length) at++;
    const from = pattern[at];
    if (pattern[at + 1] === dash && at + 2 < pattern.length && pattern[at + 2] !== closeBracket) {
      const to = pattern[at + 2];
      if (byte >= Math.min(from, to) && byte <= Math.max(from, to)) isMember = true;
      at += 3;
    } else {
      if (byte === from) isMember = true;
      at++;
    }
  }
  if (isMember === isNegated) return -1;
  return Math.min(at + 1, pattern.length);
};

const star = 0x2a;
const question = 0x3f;
const openBracket = 0x5b;
const closeBracket = 0x5d;
const backslash = 0x5c;
const caret = 0x5e;
const dash = 0x2d;
