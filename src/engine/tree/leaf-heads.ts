import type { EntryView } from './entry-view.js';
import { headOf } from './key-head.js';
import { countOf, prefixLengthOf } from './page.js';

/**
 * What makes a leaf quick to search, beside it in its frame of the page cache: the heads of its keys, behind their
 * prefix. Of every key when they are few, else of every second, third … one, as many as there is room for.
 *
 *   | count · 2^16 + prefixLength | head, head … |     Int32 each
 */
export const leafHeadsBytes = 256;

export const fillHeads = (
  bytes: Uint8Array,
  base: number,
  entry: EntryView,
  words: Int32Array,
  at: number,
): void => {
  const count = countOf(bytes, base);
  words[at] = (count << 16) | prefixLengthOf(bytes, base);
  const step = stepOf(count);
  for (let i = 0, to = at + 1; i < count; i += step, to++) {
    entry.readLeaf(bytes, base, i);
    words[to] = headOf(bytes, entry.suffixStart, entry.suffixEnd);
  }
};

/** Searches the heads of leaves. The results lie in fields. */
export class LeafHeads {
  /** Entries before it are less than the key. */
  low = 0;
  /** Entries from it on are greater than the key. */
  high = 0;

  search(words: Int32Array, at: number, head: number): void {
    const count = words[at] >>> 16;
    const step = stepOf(count);
    const begin = at + 1;
    const end = begin + (step === 1 ? count : Math.ceil(count / step));
    let low = begin;
    for (let high = end; low < high; ) {
      const middle = (low + high) >>> 1;
      if (words[middle] < head) low = middle + 1;
      else high = middle;
    }
    this.low = low === begin ? 0 : (low - begin - 1) * step + 1;
    while (low < end && words[low] === head) low++;
    this.high = low === end ? count : (low - begin) * step;
  }
}

const maxHeads = leafHeadsBytes / 4 - 1;

/** From each head to the next so many entries. */
const stepOf = (count: number): number => (count <= maxHeads ? 1 : Math.ceil(count / maxHeads));
