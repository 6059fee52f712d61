import { matchesGlob } from '../../bytes/index.js';

/** A pattern as KEYS and SCAN take it. */
export interface Glob {
  readonly matches: (text: Uint8Array) => boolean;
  /** What every matching text starts with: where a walk of sorted keys may begin and end. */
  readonly prefix: Buffer;
}

export const compileGlob = (pattern: Uint8Array): Glob => {
  const firstSpecial = pattern.findIndex((byte) => special.includes(byte));
  const literals = firstSpecial < 0 ? pattern.length : firstSpecial;
  return {
    matches: (text) => matchesGlob(pattern, text),
    prefix: Buffer.from(pattern.subarray(0, literals)),
  };
};

/** The pattern that matches everything. */
export const anyText: Glob = { matches: () => true, prefix: Buffer.alloc(0) };

const special = Buffer.from('*?[\\');
