import type { Changes } from './changes.js';
import type { LeafPlan } from './leaf-plan.js';
import { countOf, entriesEndOf, entryAt, pageHeaderBytes, prefixLengthOf } from './page.js';

/** Writes a change as an entry, without the first `prefixLength` bytes of its key; returns where the entry ends. */
export type PutEntry = (into: Buffer, at: number, changes: Changes, prefixLength: number) => number;

/**
 * Writes a leaf with the planned changes among its entries, laid out as a page, but for the header: prefix and entries
 * from `origin` on, slots back from `slotsEnd`. What does not change is copied in stretches, not entry by entry.
 * Returns where the last entry ends in `into`. Hot: bench `engine-store`.
 */
export const interleaveChanges = (
  bytes: Buffer,
  base: number,
  changes: Changes,
  plan: LeafPlan,
  putEntry: PutEntry,
  into: Buffer,
  origin: number,
  slotsEnd: number,
): number => {
  const oldCount = countOf(bytes, base);
  const prefixLength = prefixLengthOf(bytes, base);
  const headEnd = pageHeaderBytes + prefixLength;
  let at = origin + headEnd;
  let slot = slotsEnd;
  let index = 0;
  const putSlot = (place: number): void => {
    slot -= 2;
    into[slot] = place;
    into[slot + 1] = place >>> 8;
  };
  const copyUpTo = (end: number): void => {
    if (end <= index) return;
    const from = entryAt(bytes, base, index);
    const to = end < oldCount ? entryAt(bytes, base, end) : entriesEndOf(bytes, base);
    const shift = at - origin - from;
    for (; index < end; index++) putSlot(entryAt(bytes, base, index) + shift);
    at += bytes.copy(into, at, base + from, base + to);
  };
  bytes.copy(into, origin + pageHeaderBytes, base + pageHeaderBytes, base + headEnd);
  for (let i = 0; i < plan.count; i++, changes.next()) {
    copyUpTo(plan.indexes[i]);
    index += plan.isFound[i];
    if (changes.isDeleted) continue;
    putSlot(at - origin);
    at = putEntry(into, at, changes, prefixLength);
  }
  copyUpTo(oldCount);
  return at;
};
