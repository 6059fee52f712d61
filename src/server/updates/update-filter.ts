import { matchesGlob } from '../../bytes/index.js';
import { type Change, valueTypes } from '../../data-model/index.js';

/**
 * Which changes a client wants: keys that match one of the patterns, of one of the types. A change without a key (a
 * cleared namespace) always passes, and a deleted key passes every type, since the log does not always tell it.
 */
export class UpdateFilter {
  static readonly types: ReadonlySet<string> = new Set(valueTypes);
  readonly #patterns: readonly Buffer[];
  readonly #types: ReadonlySet<string>;

  /** No patterns: every key; no types: every type. */
  constructor(patterns: readonly Buffer[], types: readonly string[]) {
    this.#patterns = patterns;
    this.#types = new Set(types);
  }

  passes(change: Change): boolean {
    const { type } = change;
    if (this.#types.size > 0 && !this.#types.has(type) && !typelessChanges.has(type)) return false;
    if (this.#patterns.length === 0 || !('key' in change)) return true;
    return this.#patterns.some((pattern) => matchesGlob(pattern, change.key));
  }

  /** Whether a key that could not be decoded may be meant. */
  mayConcern(key: Uint8Array | undefined): boolean {
    if (key === undefined || this.#patterns.length === 0) return true;
    return this.#patterns.some((pattern) => matchesGlob(pattern, key));
  }
}

const typelessChanges = new Set(['key', 'namespace', 'all', 'slot']);
