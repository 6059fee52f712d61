import type { Changes } from './changes.js';
import type { EntryView } from './entry-view.js';
import { GatheredEntries } from './gathered-entries.js';
import { maxInlineKeyBytes, pageBytes, pageHeaderBytes, putU32 } from './page.js';
import type { PageOutput } from './page-output.js';
import { copyOfKey, lowestKey, separatorBetween, sharedLength, type TreeKey } from './tree-key.js';

/** Takes the pages that a builder has made. */
export type OnPage = (low: TreeKey, unit: number) => void;

/**
 * Makes pages of one level from entries in key order. Entries gather until they fill three pages, so that two pages that
 * overflow slightly become three with room to spare, and a long stream becomes full pages.
 */
export class PageBuilder {
  readonly level: number;
  readonly #output: PageOutput;
  readonly #onPage: OnPage;
  readonly #entries = new GatheredEntries();
  /** Separator of the next page, until it is made. */
  #low: TreeKey | undefined = lowestKey;
  #lastKey: TreeKey | undefined;

  constructor(level: number, output: PageOutput, onPage: OnPage) {
    this.level = level;
    this.#output = output;
    this.#onPage = onPage;
  }

  get isEmpty(): boolean {
    return this.#entries.count === 0;
  }

  /** In a branch: the child when it is the only one that has gathered, with its separator. */
  get onlyChild(): { readonly low: TreeKey; readonly unit: number } | undefined {
    const entries = this.#entries;
    return entries.count === 1 ? { low: entries.keyAt(0), unit: entries.lastChild } : undefined;
  }

  /** True when what has gathered would make an underfull page. */
  get isUnderfull(): boolean {
    return this.#packed < capacity / 4;
  }

  /** True when what has gathered makes pages that are well filled and still have room for more. */
  get isRoomy(): boolean {
    const left = this.#packed / capacity;
    const fill = left / Math.ceil(left);
    return fill > leastRoomyFill && fill < mostRoomyFill;
  }

  /** Sets the separator of the first page that follows, while the builder is empty; returns one that was not used. */
  startAt(low: TreeKey | undefined): TreeKey | undefined {
    const unused = this.#low;
    this.#low = low;
    return unused;
  }

  /** Adds a change to a leaf: of its key what stays inline, with `tail`, and its value, or the large reference to it. */
  addChange(changes: Changes, tail: Uint8Array | undefined, reference: Uint8Array | undefined): void {
    const { keyBytes, keyStart, keyEnd, valueBytes, valueStart, valueEnd } = changes;
    const inlineEnd = Math.min(keyEnd, keyStart + maxInlineKeyBytes);
    const valueField = (valueEnd - valueStart) * 2 + (reference === undefined ? 0 : 1);
    if (reference === undefined)
      this.#entries.add(keyBytes, keyStart, inlineEnd, tail, valueField, valueBytes, valueStart, valueEnd);
    else this.#entries.add(keyBytes, keyStart, inlineEnd, tail, valueField, reference, 0, reference.length);
    this.#emitFull();
  }

  /** Adds an entry of another leaf. */
  addFromLeaf(page: Uint8Array, base: number, entry: EntryView): void {
    this.#entries.addFromLeaf(page, base, entry);
    this.#emitFull();
  }

  /** Adds a child to a branch. */
  addChild({ inline, tail }: TreeKey, unit: number): void {
    putU32(child, 0, unit);
    this.#entries.add(inline, 0, inline.length, tail, -1, child, 0, child.length);
    this.#emitFull();
  }

  /** Makes pages of all that has gathered, of about equal size. */
  finish(): void {
    while (!this.isEmpty) {
      const left = this.#packed;
      if (left <= capacity) this.#emit(capacity);
      else this.#emit(Math.min(capacity, left / Math.ceil(left / capacity) + 64));
    }
    this.#lastKey = undefined;
  }

  /** Size of what has gathered when the bytes that all keys begin with are held once. */
  get #packed(): number {
    const { byteLength, count, commonPrefix } = this.#entries;
    return byteLength - (count - 1) * commonPrefix;
  }

  #emitFull(): void {
    while (this.#packed > gatheredPages * capacity) this.#emit(capacity * streamFill);
  }

  /** Makes a page of as many entries as fit into `limit` bytes, at least one. */
  #emit(limit: number): void {
    const entries = this.#entries;
    const output = this.#output;
    const { count, prefixLength } = entries.fitting(limit);
    const low = this.#lastKey === undefined ? this.#low : this.#separator(this.#lastKey, entries.keyAt(0));
    if (low === undefined) throw new Error(`a page of level ${this.level} has no separator`);
    this.#low = undefined;
    this.#lastKey = entries.keyAt(count - 1);
    output.begin();
    const { bytes, base, unit } = output;
    const end = entries.putInto(bytes, base, count, prefixLength);
    output.seal(this.level, count, prefixLength, end - base, true);
    entries.drop(count);
    this.#onPage(low, unit);
  }

  /** Separates the last key of one page from the first of the next. */
  #separator(last: TreeKey, first: TreeKey): TreeKey {
    // A separator in a branch bounds keys that lie between it and the next one: it cannot be shortened.
    if (this.level > 0) return copyOfKey(this.#output, first);
    const shared = sharedLength(last.inline, first.inline);
    return separatorBetween(this.#output, this.#output, last, first, shared);
  }
}

const child = new Uint8Array(4);
const capacity = pageBytes - pageHeaderBytes;
const gatheredPages = 3;
const leastRoomyFill = 0.6;
const mostRoomyFill = 0.85;
/** How full the pages of a long stream are made, so that the next few changes need not split them. */
const streamFill = 0.93;
