import { prefixSuccessor, startsWithAt } from '../../bytes/index.js';
import type { DataItem, DataIterator } from '../../engine/index.js';
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
  const end = prefixSuccessor(prefix);
  const range = { columnFamily, begin: prefix, ...(end === undefined ? {} : { end }) };
  const forward = context.reader.iterate(range);
  const backward = context.reader.iterate({ ...range, isReverse: true });
  try {
    const place = randomPlace(context, forward, backward);
    return place === undefined ? undefined : entryBehind(context, forward, prefix, place);
  } finally {
    forward.close();
    backward.close();
  }
};

/** @param forward, backward stand at the first and the last of all entries */
const randomPlace = (
  context: CommandContext,
  forward: DataIterator,
  backward: DataIterator,
): Buffer | undefined => {
  if (!forward.valid || !backward.valid) return undefined;
  let first = Buffer.from(forward.item.key);
  let last = Buffer.from(backward.item.key);
  while (!first.equals(last)) {
    const at = sharedLength(first, last);
    const shared = last.subarray(0, at);
    const lowest = at === first.length ? keyItself : first[at];
    let found = last;
    for (let draw = 0; draw < drawsOfByte; draw++) {
      const byte = lowest + randomBelow(context, last[at] - lowest + 1);
      if (byte === keyItself) return first;
      forward.seek(Buffer.concat([shared, Buffer.of(byte)]));
      // There is always one: `last` at the latest. That which follows the gap stands in for the gap in the end.
      found = Buffer.from(forward.item.key);
      if (found[at] === byte) break;
    }
    const begin = found.subarray(0, at + 1);
    forward.seek(begin);
    first = Buffer.from(forward.item.key);
    // The key that follows all that begin so is not one of them.
    backward.seek(prefixSuccessor(begin) ?? last);
    if (!startsWithAt(backward.item.key, 0, backward.item.key.length, begin, 0)) backward.next();
    last = Buffer.from(backward.item.key);
  }
  return first;
};

/** How often another byte is drawn where no key has the one drawn. */
const drawsOfByte = 24;

/** The entry some places behind one, the first following the last. */
const entryBehind = (
  context: CommandContext,
  forward: DataIterator,
  prefix: Buffer,
  place: Buffer,
): DataItem => {
  forward.seek(place);
  for (let steps = randomBelow(context, evenedEntries); steps > 0; steps--) {
    forward.next();
    if (!forward.valid) forward.seek(prefix);
  }
  const { key, value } = forward.item;
  return { key: Buffer.from(key), value: Buffer.from(value) };
};

/** Over how many neighbours differences in chance are evened out. */
const evenedEntries = 128;

/** A whole number in [0, limit). */
export const randomBelow = (context: CommandContext, limit: number): number =>
  Math.floor(context.services.random() * limit);

/** Stands for the key that ends where the others go on: it sorts before all bytes. */
const keyItself = -1;

const sharedLength = (a: Buffer, b: Buffer): number => {
  let at = 0;
  while (at < a.length && a[at] === b[at]) at++;
  return at;
};
