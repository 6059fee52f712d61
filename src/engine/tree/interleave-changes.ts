import type { Changes } from './changes.js';
import type { LeafPlan } from './leaf-plan.js';
import { countOf, entriesEndOf, entryAt, pageHeaderBytes, prefixLengthOf, putU16 } from './page.js';

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
  bytes.copy(into, origin + pageHeaderBytes, base + pageHeaderBytes, base + headEnd);
  for (let i = 0; ; i++) {
    const isEnd = i === plan.count;
    const next = isEnd ? oldCount : plan.indexes[i];
    if (next > index) {
      const from = entryAt(bytes, base, index);
      const to = next < oldCount ? entryAt(bytes, base, next) : entriesEndOf(bytes, base);
      const shift = at - origin - from;
      for (; index < next; index++) {
        slot -= 2;
        putU16(into, slot, entryAt(bytes, base, index) + shift);
      }
      at += bytes.copy(into, at, base + from, base + to);
    }
    if (isEnd) return at;
    index += plan.isFound[i];
    if (!changes.isDeleted) {
      slot -= 2;
      putU16(into, slot, at - origin);
      at = putEntry(into, at, changes, prefixLength);
    }
    changes.next();
  }
};
