import type { Changes } from './changes.js';
import { EntryView } from './entry-view.js';
import { interleaveChanges, type PutEntry } from './interleave-changes.js';
import type { LeafPlan } from './leaf-plan.js';
import { countOf, pageBytes, pageHeaderBytes, prefixLengthOf, putSlot, putVarint, u16 } from './page.js';
import type { PageOutput } from './page-output.js';
import { keyOf, separatorBetween, sharedLength, type TreeKey } from './tree-key.js';

/** One of the pages that a page was split into, other than the first. */
export interface Sibling {
  readonly separator: TreeKey;
  readonly unit: number;
}

/**
 * A leaf that has become too large for one page: its entries with the changes among them are put together as if pages
 * had no end, and then split into pages of about equal size. Hot: bench `engine-store`.
 */
export class LeafSplit {
  /** After `write`: the page that takes the leaf's place, and those that follow it. */
  unit = 0;
  siblings: readonly Sibling[] = [];
  readonly #output: PageOutput;
  readonly #entry = new EntryView();
  /** The leaf with its changes, laid out as one page that is far too large. */
  readonly #whole = Buffer.allocUnsafeSlow(maxWholeBytes);
  #count = 0;
  /** Where its last entry ends. */
  #end = 0;

  constructor(output: PageOutput) {
    this.#output = output;
  }

  /** True when a leaf that comes to this size, slots included, can be put together. */
  takes(byteLength: number): boolean {
    return byteLength <= maxWholeBytes;
  }

  /** Puts the planned changes into a copy of the leaf. */
  gather(bytes: Buffer, base: number, changes: Changes, plan: LeafPlan, putEntry: PutEntry): void {
    const whole = this.#whole;
    bytes.copy(whole, 0, base, base + pageHeaderBytes);
    this.#end = interleaveChanges(bytes, base, changes, plan, putEntry, whole, 0, whole.length);
    this.#count = countOf(bytes, base) + plan.entriesDelta;
  }

  /** Makes pages of what was gathered; `isWanted` puts them into the cache. */
  write(isWanted: boolean): void {
    const siblings: Sibling[] = [];
    let left = this.#sizeOf(0, this.#count);
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

  /** Bytes of some entries and their slots. */
  #sizeOf(from: number, to: number): number {
    return this.#startOf(to) - this.#startOf(from) + 2 * (to - from);
  }

  /** Where an entry begins, or the last one ends. */
  #startOf(index: number): number {
    return index === this.#count ? this.#end : u16(this.#whole, maxWholeBytes - 2 * (index + 1));
  }

  #writePage(from: number, to: number, isWanted: boolean): number {
    const whole = this.#whole;
    const output = this.#output;
    const entry = this.#entry;
    output.begin();
    const { bytes, base, unit } = output;
    const oldPrefix = prefixLengthOf(whole, 0);
    const gained = this.#sharedBySuffixes(from, to - 1);
    entry.readLeafAt(whole, this.#startOf(from));
    let at = base + pageHeaderBytes;
    at += whole.copy(bytes, at, pageHeaderBytes, pageHeaderBytes + oldPrefix);
    at += whole.copy(bytes, at, entry.suffixStart, entry.suffixStart + gained);
    for (let i = from; i < to; i++) {
      putSlot(bytes, base, i - from, at - base);
      const start = this.#startOf(i);
      if (gained === 0) {
        at += whole.copy(bytes, at, start, this.#startOf(i + 1));
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

  /** How many bytes behind the prefix the keys of two entries, and so all keys between them, have in common. */
  #sharedBySuffixes(first: number, last: number): number {
    const whole = this.#whole;
    const entry = this.#entry;
    entry.readLeafAt(whole, this.#startOf(first));
    const { suffixStart, suffixEnd } = entry;
    entry.readLeafAt(whole, this.#startOf(last));
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
    this.#entry.readLeafAt(this.#whole, this.#startOf(place));
    return keyOf(this.#whole, 0, this.#entry);
  }
}

/** How full the pages are made at most: the next few changes need not split them again. */
const mostFill = 0.9;
/** Of a leaf with all its changes; more goes through the builders. */
const maxWholeBytes = 32 * 1024;
