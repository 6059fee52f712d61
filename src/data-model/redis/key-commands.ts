import { type CommandName, type CommandTarget, nowhere } from './command-target.js';

/** Starts commands, counts them, and puts the prefix of a namespace before the keys. Hot; measured by bench `decode`. */
export class KeyCommands {
  /** How many were started. */
  count = 0;
  /** What the keys start with in the target. */
  prefix: Buffer = Buffer.alloc(0);
  #target: CommandTarget = nowhere;

  /** From here on commands go to `target`, and are counted anew. */
  begin(target: CommandTarget): void {
    this.#target = target;
    this.count = 0;
  }

  /** Where the words of the command go that was started. */
  get target(): CommandTarget {
    return this.#target;
  }

  /** A command on a key, with `more` words behind the key. */
  start(name: CommandName, key: Uint8Array, more: number): void {
    this.startPlain(name, 2 + more);
    this.key(key);
  }

  /** A command of `words` words, of which the name is the first. */
  startPlain(name: CommandName, words: number): void {
    this.count++;
    this.#target.start(name, words);
  }

  /** A key as a word of the command. */
  key(key: Uint8Array): void {
    if (this.prefix.length === 0) this.#target.bytes(key);
    else this.#target.bytes(Buffer.concat([this.prefix, key]));
  }
}
