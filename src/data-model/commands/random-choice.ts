import { copyOf } from '../../bytes/index.js';
import { ColumnFamily } from '../encoding/column-family.js';
import type { CommandContext } from './command-context.js';
import { randomBelow, randomEntry } from './random-entry.js';
import { forEachSubKey } from './sub-keys.js';

/** The most repeats that a negative count may ask for: an answer is made whole in memory. */
export const maxRepeats = 10_000_000;

export interface ChosenEntry {
  readonly subKey: Buffer;
  readonly value: Buffer;
}

/**
 * Entries of a hash, set or sorted set in random order: `count` different ones (all when there are fewer), or, when it
 * is negative, so many of which some may be the same. Owned.
 *
 * Of a small key, or when many are wanted, all entries are walked and each has the same chance; of a large one few are
 * sought, with about the same chance.
 */
export const chooseEntries = (
  context: CommandContext,
  prefix: Buffer,
  size: number,
  count: number,
): ChosenEntry[] => {
  const isFew = size > wholeReads && Math.abs(count) * entriesPerSeek <= size;
  const sought = isFew ? seekEntries(context, prefix, count) : undefined;
  if (sought !== undefined) return sought;
  return count > fewPlaces
    ? sampleEntries(context, prefix, size, count)
    : chooseOfAll(context, prefix, size, count);
};

/** Takes each entry of a walk with such a chance that in the end there are `count`, however many that is. */
const sampleEntries = (
  context: CommandContext,
  prefix: Buffer,
  size: number,
  count: number,
): ChosenEntry[] => {
  const chosen: ChosenEntry[] = [];
  const wanted = Math.min(count, size);
  let left = size;
  forEachSubKey(context, ColumnFamily.subKeys, prefix, (key, start, end, value, valueStart, valueEnd) => {
    if (randomBelow(context, left--) < wanted - chosen.length)
      chosen.push({ subKey: copyOf(key, start, end), value: copyOf(value, valueStart, valueEnd) });
    return chosen.length < wanted;
  });
  // Fewer than the metadata says.
  if (chosen.length < wanted) return sampleEntries(context, prefix, size - left, count);
  for (let last = chosen.length - 1; last > 0; last--) {
    const other = randomBelow(context, last + 1);
    [chosen[last], chosen[other]] = [chosen[other], chosen[last]];
  }
  return chosen;
};

/** Draws places, then walks to them: only what is chosen is copied. */
const chooseOfAll = (context: CommandContext, prefix: Buffer, size: number, count: number): ChosenEntry[] => {
  const places =
    count < 0
      ? Array.from({ length: -count }, () => randomBelow(context, size))
      : distinctPlaces(context, size, Math.min(count, size));
  const wanted = Float64Array.from(new Set(places)).sort();
  const found: (ChosenEntry | undefined)[] = [];
  let at = 0;
  let next = 0;
  forEachSubKey(context, ColumnFamily.subKeys, prefix, (key, start, end, value, valueStart, valueEnd) => {
    if (at === wanted[next]) {
      found[at] = { subKey: copyOf(key, start, end), value: copyOf(value, valueStart, valueEnd) };
      next++;
    }
    at++;
    return next < wanted.length;
  });
  // Fewer than the metadata says.
  if (next < wanted.length) return at === 0 ? [] : chooseOfAll(context, prefix, at, count);
  return places.flatMap((place) => found[place] ?? []);
};

/** undefined when chance brings the same entries again and again: there are fewer than the metadata says. */
const seekEntries = (context: CommandContext, prefix: Buffer, count: number): ChosenEntry[] | undefined => {
  const chosen: ChosenEntry[] = [];
  const seen = new Set<string>();
  for (let repeats = 0; chosen.length < Math.abs(count); ) {
    const item = randomEntry(context, ColumnFamily.subKeys, prefix);
    if (item === undefined) return undefined;
    const before = seen.size;
    const subKey = item.key.subarray(prefix.length);
    if (count > 0 && seen.add(subKey.toString('latin1')).size === before) {
      if (repeats++ > chosen.length + fewRepeats) return undefined;
      continue;
    }
    chosen.push({ subKey, value: item.value });
  }
  return chosen;
};

/** Up to so many entries are read as a whole. */
const wholeReads = 512;
/** About how many entries can be read in the time of one random seek. */
const entriesPerSeek = 128;
/** Up to so many places are drawn before the walk, which costs less than to draw for each entry of it. */
const fewPlaces = 1024;
/** So many may come of chance alone. */
const fewRepeats = 16;

/** `count` different places below `size` in random order (all of them when there are fewer). */
const distinctPlaces = (context: CommandContext, size: number, count: number): number[] => {
  // Floyd's sampling: one draw a place, however large `size` is.
  const chosen = new Set<number>();
  for (let limit = Math.max(0, size - count); limit < size; limit++) {
    const place = randomBelow(context, limit + 1);
    chosen.add(chosen.has(place) ? limit : place);
  }
  return [...chosen];
};
