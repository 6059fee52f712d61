import { prefixSuccessor } from '../../bytes/index.js';
import type { DataItem } from '../../engine/index.js';
import type { CommandContext } from './command-context.js';

/**
 * Picks one of the entries under `prefix` at random without walking them all: it goes down from the prefix, and at each
 * byte in which the keys differ it takes one that occurs; from there it goes on by a few entries, so that those that
 * crowd together have nearly the same chance as the others. Some dozens of seeks, however many entries there are. Owned.
 */
export const randomEntry = (
  context: CommandContext,
  columnFamily: number,
  prefix: Buffer,
): DataItem | undefined => {
  const place = randomPlace(context, columnFamily, prefix);
  return place === undefined ? undefined : entryBehind(context, columnFamily, prefix, place);
};

const randomPlace = (context: CommandContext, columnFamily: number, prefix: Buffer): Buffer | undefined => {
  let begin = prefix;
  for (;;) {
    const first = edge(context, columnFamily, begin, begin, false)?.key;
    const last = edge(context, columnFamily, begin, begin, true)?.key;
    if (first === undefined || last === undefined || first.equals(last)) return first;
    const at = sharedLength(first, last);
    const shared = last.subarray(0, at);
    const lowest = at === first.length ? keyItself : first[at];
    let found = last;
    for (let draw = 0; draw < drawsOfByte; draw++) {
      const byte = lowest + randomBelow(context, last[at] - lowest + 1);
      if (byte === keyItself) return first;
      const wanted = Buffer.concat([shared, Buffer.of(byte)]);
      // There is always one: `last` at the latest. That which follows the gap stands in for the gap in the end.
      found = edge(context, columnFamily, wanted, shared, false)?.key ?? last;
      if (found[at] === byte) break;
    }
    begin = found.subarray(0, at + 1);
  }
};

/** How often another byte is drawn where no key has the one drawn. */
const drawsOfByte = 24;

/** The entry some places behind one, the first following the last. */
const entryBehind = (
  context: CommandContext,
  columnFamily: number,
  prefix: Buffer,
  place: Buffer,
): DataItem | undefined => {
  const end = prefixSuccessor(prefix);
  const iterator = context.reader.iterate({
    columnFamily,
    begin: prefix,
    ...(end === undefined ? {} : { end }),
  });
  try {
    iterator.seek(place);
    for (let steps = randomBelow(context, evenedEntries); steps > 0; steps--) {
      iterator.next();
      if (!iterator.valid) iterator.seek(prefix);
    }
    return owned(iterator.item);
  } finally {
    iterator.close();
  }
};

/** Over how many neighbours differences in chance are evened out. */
const evenedEntries = 128;

/** A whole number in [0, limit). */
export const randomBelow = (context: CommandContext, limit: number): number =>
  Math.floor(context.services.random() * limit);

/** Stands for the key that ends where the others go on: it sorts before all bytes. */
const keyItself = -1;

/** The first or the last entry from `begin` on that starts with `prefix`. Owned. */
const edge = (
  context: CommandContext,
  columnFamily: number,
  begin: Buffer,
  prefix: Buffer,
  isReverse: boolean,
): DataItem | undefined => {
  const end = prefixSuccessor(prefix);
  const range = { columnFamily, begin, ...(end === undefined ? {} : { end }), isReverse };
  const iterator = context.reader.iterate(range);
  try {
    return iterator.valid ? owned(iterator.item) : undefined;
  } finally {
    iterator.close();
  }
};

const owned = ({ key, value }: DataItem): DataItem => ({ key: Buffer.from(key), value: Buffer.from(value) });

const sharedLength = (a: Buffer, b: Buffer): number => {
  let at = 0;
  while (at < a.length && a[at] === b[at]) at++;
  return at;
};
