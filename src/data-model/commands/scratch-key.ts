import { writeOrderedDouble } from '../../bytes/index.js';
import { writeListPosition } from '../encoding/list-encoding.js';

/**
 * Keys for one use each, made in one piece of memory: a key that is only looked up, or copied into a batch, needs no
 * memory of its own. What a call returns is borrowed until the next one. Hot: bench `server`.
 */
export class ScratchKey {
  readonly #bytes = Buffer.allocUnsafeSlow(longestKeptBytes);
  /** Views of the first n bytes by n: making a view costs more than filling it. It begins empty, as each EXEC makes one. */
  readonly #views: (Buffer | undefined)[] = [];
  /** What the memory starts with. */
  #prefix: Uint8Array = noPrefix;

  /** The internal key of a sub-key. Nobody may write to a prefix that was given, here as below. */
  join(prefix: Uint8Array, subKey: Uint8Array): Buffer {
    const at = prefix.length;
    const view = this.#startWith(prefix, at + subKey.length);
    copyTo(view, at, subKey);
    return view;
  }

  /** The key of a list's element. */
  joinPosition(prefix: Uint8Array, position: number): Buffer {
    const at = prefix.length;
    const view = this.#startWith(prefix, at + 8);
    writeListPosition(view, at, position);
    return view;
  }

  /** The place of a sorted set's member in the order of scores. */
  joinScore(prefix: Uint8Array, score: number, member: Uint8Array): Buffer {
    const at = prefix.length;
    const view = this.#startWith(prefix, at + 8 + member.length);
    writeOrderedDouble(view, at, score);
    copyTo(view, at + 8, member);
    return view;
  }

  /** Memory for a key that starts with the prefix: mostly it is there from the last one, of the same list or hash. */
  #startWith(prefix: Uint8Array, length: number): Buffer {
    if (length > longestKeptBytes) {
      const view = Buffer.allocUnsafe(length);
      view.set(prefix);
      return view;
    }
    if (prefix !== this.#prefix) {
      copyTo(this.#bytes, 0, prefix);
      this.#prefix = prefix;
    }
    const known = this.#views[length];
    if (known !== undefined) return known;
    const view = this.#bytes.subarray(0, length);
    this.#views[length] = view;
    return view;
  }
}

const copyTo = (target: Buffer, at: number, bytes: Uint8Array): void => {
  const { length } = bytes;
  if (length > longestLooped) target.set(bytes, at);
  else for (let i = 0; i < length; i++) target[at + i] = bytes[i];
};

const noPrefix = new Uint8Array(0);
const longestKeptBytes = 512;
const longestLooped = 64;
