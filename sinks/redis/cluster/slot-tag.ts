import { slotCount, slotOf } from '../../../src/kit/index.js';

/**
 * A short text whose slot is the given one: a key with it in braces lies in that slot, and moves with it. Tags are
 * part of what is stored in targets: the way they are found never changes.
 */
export const tagOfSlot = (slot: number): string => {
  tags ??= findTags();
  return tags[slot];
};

/** The first number, written in base 36, that falls into each slot. */
const findTags = (): string[] => {
  const found: string[] = new Array(slotCount).fill('');
  for (let missing = slotCount, candidate = 0; missing > 0; candidate++) {
    const tag = candidate.toString(36);
    const slot = slotOf(Buffer.from(tag));
    if (found[slot] !== '') continue;
    found[slot] = tag;
    missing--;
  }
  return found;
};

let tags: string[] | undefined;
