import type { NodeTable } from './node-table.js';
import { OrderedIndex, type OrderedPlace } from './ordered-index.js';
import { sortNodes } from './sort-nodes.js';

/**
 * The nodes of a memtable in key order, for who asks for order. New nodes are only noted; when order is asked for, for
 * a range or a flush, they are sorted and brought into the index, all of them at once: that costs a small part of
 * inserting them one by one, which whoever reads and writes single keys need not pay at all. Once order was asked for
 * few are left to be noted at a time, so that nobody waits for long again.
 * Hot: benches `engine-write`, `server`.
 */
export class NodeOrder {
  readonly #nodes: NodeTable;
  readonly #index: OrderedIndex;
  /** Nodes that were noted, in no order. */
  #noted = new Int32Array(0);
  #notedCount = 0;
  /** Nodes in order that are on their way into the index. */
  #sorted: Int32Array = noNodes;
  #sortedAt = 0;
  #isAsked = false;
  #keepsUp: boolean;

  /** @param keepsUp whether it is expected that order is asked for */
  constructor(nodes: NodeTable, keepsUp: boolean) {
    this.#nodes = nodes;
    this.#index = new OrderedIndex(nodes);
    this.#keepsUp = keepsUp;
  }

  /** True when somebody has asked for the order. */
  get isAsked(): boolean {
    return this.#isAsked;
  }

  add(id: number): void {
    if (this.#notedCount === this.#noted.length) this.#makeRoom();
    this.#noted[this.#notedCount++] = id;
    if (this.#sorted.length > 0 && this.#notedCount % broughtInTogether === 0)
      this.#bringIn(broughtInTogether);
  }

  /** Removes a node; the bytes are its key. */
  remove(id: number, bytes: Uint8Array, start: number, end: number): void {
    this.#settle();
    this.#index.remove(id, bytes, start, end);
  }

  clear(): void {
    this.#index.clear();
    this.#notedCount = 0;
    this.#sorted = noNodes;
    this.#sortedAt = 0;
  }

  /** Brings all nodes into the index, in steps of about a millisecond; nothing may be added meanwhile. */
  *settling(): Generator<undefined, void> {
    while (this.#sorted.length > 0 || this.#notedCount > 0) {
      if (this.#sorted.length === 0) {
        const sorted = this.#noted.slice(0, this.#notedCount);
        yield* sortNodes(this.#nodes, sorted);
        // Meanwhile somebody may have asked for the order, and so done all this.
        if (this.#notedCount === 0) return;
        this.#takeSorted(sorted);
      }
      this.#bringIn(settledTogether);
      yield;
    }
    this.#noted = noNodes;
  }

  /** Place of the first node whose key is not less. */
  seek(key: Uint8Array, place: OrderedPlace): void {
    this.#settle();
    this.#index.seek(key, place);
  }

  seekFirst(place: OrderedPlace): void {
    this.#settle();
    this.#index.seekFirst(place);
  }

  /** Sets `place` behind the last node. */
  seekEnd(place: OrderedPlace): void {
    this.#settle();
    this.#index.seekEnd(place);
  }

  /** To a place that was left with these numbers, while nothing has changed. */
  returnTo(place: OrderedPlace, branch: number, leaf: number, at: number): void {
    this.#index.returnTo(place, branch, leaf, at);
  }

  forward(place: OrderedPlace): void {
    this.#index.forward(place);
  }

  /** From the first node it goes to where there is none. */
  backward(place: OrderedPlace): void {
    this.#index.backward(place);
  }

  get byteLength(): number {
    return this.#index.byteLength + this.#noted.byteLength + this.#sorted.byteLength;
  }

  #settle(): void {
    this.#isAsked = true;
    this.#keepsUp = true;
    if (this.#notedCount === 0 && this.#sorted.length === 0) return;
    this.#bringIn(Number.POSITIVE_INFINITY);
    if (this.#notedCount > 0) this.#sortNoted();
    this.#bringIn(Number.POSITIVE_INFINITY);
  }

  #makeRoom(): void {
    if (this.#keepsUp && this.#notedCount >= maxNotedWhenKeptUp) {
      this.#bringIn(Number.POSITIVE_INFINITY); // mostly nothing is left of those before
      this.#sortNoted();
      return;
    }
    const noted = new Int32Array(Math.max(leastRoom, this.#noted.length * 2));
    noted.set(this.#noted);
    this.#noted = noted;
  }

  #sortNoted(): void {
    const sorted = this.#noted.slice(0, this.#notedCount);
    const sorting = sortNodes(this.#nodes, sorted);
    while (!sorting.next().done);
    this.#takeSorted(sorted);
  }

  #takeSorted(sorted: Int32Array): void {
    this.#sorted = sorted;
    this.#sortedAt = 0;
    this.#notedCount = 0;
  }

  #bringIn(count: number): void {
    if (this.#sorted.length === 0) return;
    const end = Math.min(this.#sorted.length, this.#sortedAt + count);
    this.#index.insertAscending(this.#sorted, this.#sortedAt, end);
    this.#sortedAt = end;
    if (end < this.#sorted.length) return;
    this.#sorted = noNodes;
    this.#sortedAt = 0;
  }
}

const noNodes = new Int32Array(0);
const leastRoom = 64;
/** So many are sorted within a millisecond. */
const maxNotedWhenKeptUp = 8_192;
/** As many are brought into the index whenever so many are noted. */
const broughtInTogether = 64;
const settledTogether = 4_096;
