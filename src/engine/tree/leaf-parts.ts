import type { Changes } from './changes.js';
import { EntryView } from './entry-view.js';
import {
  countOf,
  entriesEndOf,
  entryAt,
  pageBytes,
  pageHeaderBytes,
  prefixLengthOf,
  putSlot,
  putVarint,
} from './page.js';
import type { PageOutput } from './page-output.js';
import { keyOf, separatorBetween, sharedLength, type TreeKey } from './tree-key.js';

/** A page that lies behind another one, with which it takes the place of one page. */
export interface Sibling {
  readonly separator: TreeKey;
  readonly unit: number;
}

/** Puts a change as an entry into place, behind so many bytes of its key; returns the place behind it. */
export type PutEntry = (into: Buffer, at: number, changes: Changes, prefixLength: number) => number;

/**
 * A leaf that has become too large for one page: its entries with the changes among them are put together as if pages
 * had no end, and then parted into pages of about equal size. Hot: bench `engine-store`.
 */
export class LeafParts {
  /** The page that takes the leaf's place, after `write`, and those behind it. */
  unit = 0;
  siblings: readonly Sibling[] = [];
  readonly #output: PageOutput;
  readonly #entry = new EntryView();
  /** Laid out as a page without slots, which `#starts` stands for. */
  readonly #whole = Buffer.allocUnsafeSlow(maxWholeBytes);
  readonly #starts = new Int32Array(maxWholeEntries + 1);
  #count = 0;

  constructor(output: PageOutput) {
    this.#output = output;
  }

  /** True when a leaf of this size, slots included, and so many entries can be put together. */
  takes(bytes: number, entries: number): boolean {
    return bytes <= maxWholeBytes && entries <= maxWholeEntries;
  }

  /**
   * Puts the changes into a copy of the leaf: the one at `i` before the entry at `places[i]`, or, where `isFound[i]`, in
   * its place.
   */
  gather(
    bytes: Buffer,
    base: number,
    changes: Changes,
    patches: number,
    places: Int32Array,
    isFound: Uint8Array,
    putEntry: PutEntry,
  ): void {
    const whole = this.#whole;
    const starts = this.#starts;
    const oldCount = countOf(bytes, base);
    const prefixLength = prefixLengthOf(bytes, base);
    let count = 0;
    let index = 0;
    let at = bytes.copy(whole, 0, base, base + pageHeaderBytes + prefixLength);
    const copyUpTo = (end: number): void => {
      if (end <= index) return;
      const from = entryAt(bytes, base, index);
      const to = end < oldCount ? entryAt(bytes, base, end) : entriesEndOf(bytes, base);
      for (; index < end; index++) starts[count++] = entryAt(bytes, base, index) - from + at;
      at += bytes.copy(whole, at, base + from, base + to);
    };
    for (let i = 0; i < patches; i++, changes.next()) {
      copyUpTo(places[i]);
      index += isFound[i];
      if (changes.isDeleted) continue;
      starts[count++] = at;
      at = putEntry(whole, at, changes, prefixLength);
    }
    copyUpTo(oldCount);
    starts[count] = at;
    this.#count = count;
  }

  /** Makes pages of what was gathered; `isWanted` keeps them in the cache. */
  write(isWanted: boolean): void {
    const starts = this.#starts;
    const siblings: Sibling[] = [];
    let left = starts[this.#count] - starts[0] + 2 * this.#count;
    const room = pageBytes - pageHeaderBytes - prefixLengthOf(this.#whole, 0);
    let pages = Math.ceil(left / (room * mostFill));
    for (let from = 0; from < this.#count; pages--) {
      const wanted = pages > 1 ? left / pages : room;
      let to = from + 1;
      while (to < this.#count && this.#sizeOf(from, to + 1) <= room && this.#sizeOf(from, to) < wanted) to++;
      left -= this.#sizeOf(from, to);
      const unit = this.#writePage(from, to, isWanted);
      if (from === 0) this.unit = unit;
      else siblings.push({ separator: this.#separatorBefore(from), unit });
      from = to;
    }
    this.siblings = siblings;
  }

  /** Of entries and their slots. */
  #sizeOf(from: number, to: number): number {
    return this.#starts[to] - this.#starts[from] + 2 * (to - from);
  }

  #writePage(from: number, to: number, isWanted: boolean): number {
    const whole = this.#whole;
    const output = this.#output;
    const entry = this.#entry;
    output.begin();
    const { bytes, base, unit } = output;
    const oldPrefix = prefixLengthOf(whole, 0);
    const gained = this.#sharedBySuffixes(from, to - 1);
    entry.readLeafAt(whole, this.#starts[from]);
    let at = base + pageHeaderBytes;
    at += whole.copy(bytes, at, pageHeaderBytes, pageHeaderBytes + oldPrefix);
    at += whole.copy(bytes, at, entry.suffixStart, entry.suffixStart + gained);
    for (let i = from; i < to; i++) {
      putSlot(bytes, base, i - from, at - base);
      const start = this.#starts[i];
      if (gained === 0) {
        at += whole.copy(bytes, at, start, this.#starts[i + 1]);
        continue;
      }
      entry.readLeafAt(whole, start);
      const { suffixStart, suffixEnd, tailAt, isLarge, valueLength, end } = entry;
      at = putVarint(bytes, at, (suffixEnd - suffixStart - gained) * 2 + (tailAt < 0 ? 0 : 1));
      at = putVarint(bytes, at, valueLength * 2 + (isLarge ? 1 : 0));
      at += whole.copy(bytes, at, suffixStart + gained, end);
    }
    output.seal(0, to - from, oldPrefix + gained, at - base, isWanted);
    return unit;
  }

  /** How many bytes more than the prefix the keys of two entries, and so those between them, have in common. */
  #sharedBySuffixes(first: number, last: number): number {
    const whole = this.#whole;
    const entry = this.#entry;
    entry.readLeafAt(whole, this.#starts[first]);
    const { suffixStart, suffixEnd } = entry;
    entry.readLeafAt(whole, this.#starts[last]);
    const length = Math.min(suffixEnd - suffixStart, entry.suffixEnd - entry.suffixStart);
    let shared = 0;
    while (shared < length && whole[suffixStart + shared] === whole[entry.suffixStart + shared]) shared++;
    return shared;
  }

  #separatorBefore(place: number): TreeKey {
    const last = this.#keyAt(place - 1);
    const first = this.#keyAt(place);
    return separatorBetween(this.#output, this.#output, last, first, sharedLength(last.inline, first.inline));
  }

  #keyAt(place: number): TreeKey {
    this.#entry.readLeafAt(this.#whole, this.#starts[place]);
    return keyOf(this.#whole, 0, this.#entry);
  }
}

/** How full the pages are made at most: the next few changes need not part them again. */
const mostFill = 0.9;
/** Of a leaf with all its changes; more goes through the builders. */
const maxWholeBytes = 32 * 1024;
const maxWholeEntries = 2048;
