import { capturesOf } from '../../../src/kit/index.js';

/**
 * A pattern of keys with captures, such as `user:{id}`: each capture is at least one character, as few as fit. There are
 * no wildcards: the captures are a row's primary key, and two keys must not be one row.
 */
export class KeyPattern {
  /** Names of the captures, in order. */
  readonly captures: readonly string[];
  readonly #literals: readonly string[];

  /** @throws Error in words for the author of the pattern */
  constructor(pattern: string) {
    const parts = pattern.split(/\{([^{}]*)\}/);
    this.captures = parts.filter((_, at) => at % 2 === 1);
    if (this.captures.length === 0) throw new Error(`the pattern ${pattern} has no {capture}`);
    for (const name of this.captures)
      if (name === '' || this.captures.indexOf(name) !== this.captures.lastIndexOf(name))
        throw new Error(`the captures of ${pattern} need names, each its own`);
    this.#literals = parts.filter((_, at) => at % 2 === 0);
  }

  /** What the captures stand for; undefined when the key is another. */
  match(key: string): readonly string[] | undefined {
    return capturesOf(key, this.#literals);
  }
}
