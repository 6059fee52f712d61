import { prefixSuccessor } from '../../bytes/index.js';
import { type DataIterator, nowhere, type RecordTarget } from '../../engine/index.js';
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

/**
 * Calls `visit` with where each sub-key and its value lie, in order, from the internal key `begin` on until it answers
 * false. Borrowed for the call.
 * Hot: everything that answers a whole hash, set or sorted set.
 */
export const forEachSubKey = (
  context: CommandContext,
  columnFamily: number,
  prefix: Buffer,
  visit: RecordTarget['record'],
  begin: Buffer = prefix,
): void => {
  const end = prefixSuccessor(prefix);
  const iterator = context.reader.iterate({ columnFamily, begin, ...(end === undefined ? {} : { end }) });
  try {
    giveRun(iterator, prefix, { record: visit });
  } finally {
    iterator.close();
  }
};

/** `copyRun` of any iterator all of whose keys begin with `prefix`. */
export const giveRun = (iterator: DataIterator, prefix: Buffer, target: RecordTarget): void => {
  if (iterator.copyRun !== undefined) {
    iterator.copyRun(prefix, target);
    return;
  }
  const place = nowhere();
  for (let isWanted = true; iterator.valid && isWanted; iterator.next()) {
    iterator.locate(place);
    const { keyBytes, keyStart, keyEnd, valueBytes, valueStart, valueEnd } = place;
    isWanted = target.record(keyBytes, keyStart + prefix.length, keyEnd, valueBytes, valueStart, valueEnd);
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
