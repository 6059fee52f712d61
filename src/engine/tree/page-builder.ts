import { readTail } from './entry-view.js';
import {
  pageBytes,
  pageHeaderBytes,
  putBytes,
  putSlot,
  putU32,
  putVarint,
  tailBytes,
  u32,
  varintLength,
} from './page.js';
import type { PageOutput } from './page-output.js';
import { lowestKey, makeKey, separatorBetween, sharedLength, type TreeKey } from './tree-key.js';

/** An entry on its way into a page. */
export interface PendingEntry {
  readonly key: TreeKey;
  /** The value or its reference in a leaf, the child's unit (4 bytes) in a branch. */
  readonly payload: Uint8Array;
  readonly payloadStart: number;
  readonly payloadEnd: number;
  /** Length of the whole value; not used in a branch. */
  readonly valueLength: number;
  readonly isLarge: boolean;
}

/** Takes the pages that a builder has made. */
export type OnPage = (low: TreeKey, unit: number) => void;

/**
 * Makes pages of one level from entries in key order. Entries gather until there are three pages of them, so that two
 * pages that overflow by little become three with room, and a long stream becomes full pages.
 */
export class PageBuilder {
  readonly level: number;
  readonly #output: PageOutput;
  readonly #onPage: OnPage;
  readonly #entries: PendingEntry[] = [];
  /** How many bytes of its key each entry shares with the one before. */
  readonly #shared: number[] = [];
  #bytes = 0;
  #commonPrefix = 0;
  /** Separator of the next page, until it is made. */
  #low: TreeKey | undefined = lowestKey;
  #lastKey: TreeKey | undefined;

  constructor(level: number, output: PageOutput, onPage: OnPage) {
    this.level = level;
    this.#output = output;
    this.#onPage = onPage;
  }

  get isEmpty(): boolean {
    return this.#entries.length === 0;
  }

  /** In a branch: the unit of the child when it is the only one that has gathered. */
  get onlyChild(): number | undefined {
    const [entry] = this.#entries;
    return this.#entries.length === 1 ? u32(entry.payload, 0) : undefined;
  }

  /** True when what has gathered would make a poor page. */
  get isScant(): boolean {
    return this.#packed(this.#bytes, this.#entries.length, this.#commonPrefix) < capacity / 4;
  }

  /** True when what has gathered makes pages that have room for more, and are not half empty either. */
  get isRoomy(): boolean {
    const left = this.#packed(this.#bytes, this.#entries.length, this.#commonPrefix) / capacity;
    const fill = left / Math.ceil(left);
    return fill > leastRoomyFill && fill < mostRoomyFill;
  }

  /** Sets the separator of the first page that follows, while the builder is empty; returns one that was not used. */
  startAt(low: TreeKey | undefined): TreeKey | undefined {
    const unused = this.#low;
    this.#low = low;
    return unused;
  }

  add(entry: PendingEntry): void {
    const previous = this.#entries.at(-1);
    const shared = previous === undefined ? 0 : sharedLength(previous.key.inline, entry.key.inline);
    this.#commonPrefix =
      previous === undefined ? entry.key.inline.length : Math.min(this.#commonPrefix, shared);
    this.#entries.push(entry);
    this.#shared.push(shared);
    this.#bytes += this.#sizeOf(entry);
    while (this.#packed(this.#bytes, this.#entries.length, this.#commonPrefix) > gatheredPages * capacity)
      this.#emit(capacity * streamFill);
  }

  /** Makes pages of all that has gathered, of about equal size. */
  finish(): void {
    while (this.#entries.length > 0) {
      const left = this.#packed(this.#bytes, this.#entries.length, this.#commonPrefix);
      if (left <= capacity) this.#emit(capacity);
      else this.#emit(Math.min(capacity, left / Math.ceil(left / capacity) + 64));
    }
    this.#lastKey = undefined;
  }

  /** Makes a page of as many entries as fit into `limit` bytes, at least one. */
  #emit(limit: number): void {
    const entries = this.#entries;
    let count = 1;
    let prefixLength = entries[0].key.inline.length;
    for (let bytes = this.#sizeOf(entries[0]); count < entries.length; count++) {
      const withNext = Math.min(prefixLength, this.#shared[count]);
      bytes += this.#sizeOf(entries[count]);
      if (this.#packed(bytes, count + 1, withNext) > limit) break;
      prefixLength = withNext;
    }
    const first = entries[0];
    const low = this.#lastKey === undefined ? this.#low : this.#separator(this.#lastKey, first.key);
    if (low === undefined) throw new Error(`a page of level ${this.level} has no separator`);
    this.#low = undefined;
    this.#lastKey = entries[count - 1].key;
    const unit = this.#write(count, prefixLength);
    entries.splice(0, count);
    this.#shared.splice(0, count);
    this.#bytes = 0;
    this.#commonPrefix = entries[0]?.key.inline.length ?? 0;
    for (let i = 0; i < entries.length; i++) {
      this.#bytes += this.#sizeOf(entries[i]);
      if (i > 0) this.#commonPrefix = Math.min(this.#commonPrefix, this.#shared[i]);
    }
    this.#onPage(low, unit);
  }

  /** Parts the last key of one page from the first of the next. */
  #separator(last: TreeKey, first: TreeKey): TreeKey {
    // A separator in a branch bounds keys that lie between it and the next one: it cannot be shortened.
    if (this.level > 0) return this.#copyOf(first);
    const shared = sharedLength(last.inline, first.inline);
    return separatorBetween(this.#output, this.#output, last, first, shared);
  }

  /** The key once more, with a run of its own for its tail. */
  #copyOf(key: TreeKey): TreeKey {
    if (key.tail === undefined) return key;
    const whole = Buffer.concat([key.inline, readTail(this.#output, key.tail, 0)]);
    return makeKey(this.#output, whole, 0, whole.length);
  }

  #write(count: number, prefixLength: number): number {
    const output = this.#output;
    output.begin();
    const { bytes, base, unit } = output;
    const isLeaf = this.level === 0;
    this.#entries[0].key.inline.copy(bytes, base + pageHeaderBytes, 0, prefixLength);
    let at = base + pageHeaderBytes + prefixLength;
    for (let i = 0; i < count; i++) {
      const { key, payload, payloadStart, payloadEnd, valueLength, isLarge } = this.#entries[i];
      putSlot(bytes, base, i, at - base);
      at = putVarint(bytes, at, (key.inline.length - prefixLength) * 2 + (key.tail === undefined ? 0 : 1));
      if (isLeaf) at = putVarint(bytes, at, valueLength * 2 + (isLarge ? 1 : 0));
      at = putBytes(bytes, at, key.inline, prefixLength, key.inline.length);
      if (key.tail !== undefined) at += key.tail.copy(bytes, at);
      at = putBytes(bytes, at, payload, payloadStart, payloadEnd);
    }
    output.seal(this.level, count, prefixLength, at - base, true);
    return unit;
  }

  /** Size of entries of `bytes` in all when `prefixLength` bytes of their keys are held once. */
  #packed(bytes: number, count: number, prefixLength: number): number {
    return bytes - (count - 1) * prefixLength;
  }

  /** An upper bound of what an entry and its slot take. */
  #sizeOf({ key, payloadStart, payloadEnd, valueLength }: PendingEntry): number {
    const { length } = key.inline;
    const tail = key.tail === undefined ? 0 : tailBytes;
    const value = this.level === 0 ? varintLength(valueLength * 2 + 1) : 0;
    return 2 + varintLength(length * 2 + 1) + value + length + tail + payloadEnd - payloadStart;
  }
}

/** A branch entry. */
export const childEntry = (key: TreeKey, unit: number): PendingEntry => {
  const payload = new Uint8Array(4);
  putU32(payload, 0, unit);
  return { key, payload, payloadStart: 0, payloadEnd: 4, valueLength: 0, isLarge: false };
};

const capacity = pageBytes - pageHeaderBytes;
const gatheredPages = 3;
const leastRoomyFill = 0.6;
const mostRoomyFill = 0.85;
/** How full the pages of a long stream are made, so that the next few changes need not part them. */
const streamFill = 0.93;
