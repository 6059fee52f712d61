import type { CommandContext } from './command-context.js';

/** The most repeats that a negative count may ask for: an answer is made whole in memory. */
export const maxRepeats = 10_000_000;

/** A whole number in [0, limit). */
export const randomBelow = (context: CommandContext, limit: number): number =>
  Math.floor(context.services.random() * limit);

/** `count` different places below `size` in random order (all of them when there are fewer). */
export const distinctPlaces = (context: CommandContext, size: number, count: number): number[] => {
  // Floyd's sampling: one draw a place, however large `size` is.
  const chosen = new Set<number>();
  for (let limit = Math.max(0, size - count); limit < size; limit++) {
    const place = randomBelow(context, limit + 1);
    chosen.add(chosen.has(place) ? limit : place);
  }
  return [...chosen];
};
