import { prefixSuccessor } from '../../bytes/index.js';
import type { DataIterator } from '../../engine/index.js';
import type { CommandContext } from './command-context.js';

/** Walks the entries of one incarnation of a key: all internal keys that start with `prefix`. */
export const iterateSubKeys = (
  context: CommandContext,
  columnFamily: number,
  prefix: Buffer,
  isReverse = false,
): DataIterator => {
  const end = prefixSuccessor(prefix);
  return context.reader.iterate({
    columnFamily,
    begin: prefix,
    ...(end === undefined ? {} : { end }),
    isReverse,
  });
};

/** Calls `visit` with each sub-key and value in order, until it answers `false`. Both are borrowed for the call. */
export const forEachSubKey = (
  context: CommandContext,
  columnFamily: number,
  prefix: Buffer,
  visit: (subKey: Buffer, value: Buffer) => unknown,
): void => {
  const iterator = iterateSubKeys(context, columnFamily, prefix);
  try {
    for (; iterator.valid; iterator.next()) {
      const { key, value } = iterator.item;
      if (visit(key.subarray(prefix.length), value) === false) return;
    }
  } finally {
    iterator.close();
  }
};

/** Byte strings by their content, for finding repeated arguments. */
export class ByteSet {
  readonly #texts = new Set<string>();

  /** True when it was not in the set before. */
  add(bytes: Buffer): boolean {
    const { size } = this.#texts;
    this.#texts.add(bytes.toString('latin1'));
    return this.#texts.size > size;
  }

  has(bytes: Buffer): boolean {
    return this.#texts.has(bytes.toString('latin1'));
  }

  get size(): number {
    return this.#texts.size;
  }
}
