import type { NodeTable } from './node-table.js';
import { OrderedIndex, type OrderedPlace } from './ordered-index.js';
import { joined, joinedInLine, RunPile, sharedByRuns } from './run-pile.js';
import { sortNodes, sortNodesNow } from './sort-nodes.js';

/**
 * The nodes of a memtable in key order, for who asks for order. New nodes are only noted; they are brought into the
 * index many at a time, which costs a small part of inserting them one by one.
 *
 * Until somebody asks, for a range or a flush, each few thousand that were noted become a sorted run, and the index
 * stays empty. From the first question on these runs are a pile, out of which the index gets what lies where somebody
 * looks, and the rest bit by bit; what is noted then comes into the index in time for the next question. So nobody
 * waits for long, however much was written before.
 * Hot: benches `engine-write`, `server`.
 */
export class NodeOrder {
  readonly #nodes: NodeTable;
  readonly #index: OrderedIndex;
  /** Nodes that were noted, in no order. */
  #noted = new Int32Array(0);
  #notedCount = 0;
  /** Runs that nobody has asked for; and what is in them as it came, which is how it lies in memory. */
  #runs: Int32Array[] = [];
  #arrived: Int32Array[] = [];
  /** Those that somebody has asked for, until all of them are in the index. */
  #pile: RunPile | undefined;
  /** Nodes in order that are on their way into the index. */
  #sorted: Int32Array = noNodes;
  #sortedAt = 0;
  #isAsked = false;
  #keepsUp: boolean;
  #moves = 0;

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

  /** Grows whenever places are no longer good though nothing was added. */
  get moves(): number {
    return this.#moves;
  }

  add(id: number): void {
    if (this.#notedCount === this.#noted.length) this.#makeRoom();
    this.#noted[this.#notedCount++] = id;
    if (this.#sorted.length > 0 && this.#notedCount % broughtInTogether === 0)
      this.#bringIn(broughtInTogether);
    if (this.#pile !== undefined && this.#notedCount % notedPerBucket === 0) this.#bringInNext(this.#pile);
  }

  /** Removes a node; the bytes are its key. */
  remove(id: number, bytes: Uint8Array, start: number, end: number): void {
    this.#settle();
    const bucket = this.#pile?.bucketOfNode(id) ?? 0;
    this.#cover(bucket, bucket);
    this.#index.remove(id, bytes, start, end);
  }

  clear(): void {
    this.#index.clear();
    this.#notedCount = 0;
    this.#runs = [];
    this.#arrived = [];
    this.#pile = undefined;
    this.#sorted = noNodes;
    this.#sortedAt = 0;
  }

  /**
   * All nodes in order, when they have settled and nobody has asked for the order before. Otherwise the index has them
   * or gets them.
   */
  get sortedNodes(): Int32Array | undefined {
    if (this.#isAsked || this.#keepsUp || this.#notedCount > 0 || this.#runs.length > 1) return undefined;
    return this.#runs[0] ?? noNodes;
  }

  /**
   * Brings all nodes in order, in steps of about a millisecond; nothing may be added from now on. Into the index only
   * when somebody has asked for the order: for a walk through all of them one run is as good.
   */
  *settling(): Generator<undefined, void> {
    // Between two steps somebody may ask for the order, and so do part of all this.
    if (!this.#keepsUp && this.#notedCount > 0) this.#sortNoted();
    yield;
    const runs = this.#runs;
    if (runs.length > 1) {
      let all = joinedInLine(this.#nodes, runs);
      if (all === undefined) {
        // All at once is less work than by buckets, and in the order in which nodes lie in memory less than in that of runs.
        all = joined(this.#arrived);
        yield* sortNodes(this.#nodes, all, sharedByRuns(this.#nodes, runs));
      }
      if (this.#runs === runs) this.#runs = [all];
    }
    this.#arrived = [];
    if (this.sortedNodes !== undefined) {
      this.#noted = noNodes;
      return;
    }
    this.#pileUp();
    while (this.#pile !== undefined) {
      this.#bringInNext(this.#pile);
      yield;
    }
    while (this.#sorted.length > 0 || this.#notedCount > 0) {
      if (this.#sorted.length === 0) this.#sortNoted();
      else this.#bringIn(settledTogether);
      this.#moves++;
      yield;
    }
    this.#noted = noNodes;
  }

  /** Place of the first node whose key is not less. */
  seek(key: Uint8Array, place: OrderedPlace): void {
    this.#settle();
    this.#index.seek(key, place);
    if (this.#pile === undefined) return;
    const bucket = this.#pile.bucketOf(key);
    while (this.#cover(bucket, this.#bucketAt(place, true))) this.#index.seek(key, place);
  }

  seekFirst(place: OrderedPlace): void {
    this.#settle();
    this.#cover(0, 0);
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
    if (this.#pile === undefined) {
      this.#index.forward(place);
      return;
    }
    const from = place.id;
    const bucket = this.#bucketAt(place, true);
    this.#index.forward(place);
    while (this.#cover(bucket, this.#bucketAt(place, true))) {
      this.#returnToNode(from, place);
      this.#index.forward(place);
    }
  }

  /** From the first node it goes to where there is none. */
  backward(place: OrderedPlace): void {
    if (this.#pile === undefined) {
      this.#index.backward(place);
      return;
    }
    const from = place.id;
    const bucket = this.#bucketAt(place, true);
    this.#index.backward(place);
    while (this.#cover(bucket, this.#bucketAt(place, false))) {
      this.#returnToNode(from, place);
      this.#index.backward(place);
    }
  }

  get byteLength(): number {
    let bytes = this.#index.byteLength + this.#noted.byteLength + this.#sorted.byteLength;
    bytes += this.#pile?.byteLength ?? 0;
    for (const run of this.#runs) bytes += 2 * run.byteLength;
    return bytes;
  }

  /** Makes all nodes ready to be looked for: in the index, or in the pile. */
  #settle(): void {
    this.#isAsked = true;
    this.#keepsUp = true;
    this.#pileUp();
    if (this.#notedCount === 0 && this.#sorted.length === 0) return;
    this.#bringIn(Number.POSITIVE_INFINITY);
    if (this.#notedCount > 0) this.#sortNoted();
    this.#bringIn(Number.POSITIVE_INFINITY);
  }

  #pileUp(): void {
    if (this.#runs.length === 0) return;
    this.#pile = new RunPile(this.#nodes, this.#runs);
    this.#runs = [];
    this.#arrived = [];
  }

  /** The bucket of the node at a place; where there is none, that of what would be next in a direction. */
  #bucketAt(place: OrderedPlace, isForward: boolean): number {
    const node = place.id;
    if (this.#pile === undefined) return 0;
    if (node >= 0) return this.#pile.bucketOfNode(node);
    return isForward ? this.#pile.lastBucket : 0;
  }

  /**
   * A walk from one bucket to another has missed what lies between in the pile: brings in the first that is not in the
   * index yet. False when there is none: the walk was right.
   */
  #cover(from: number, to: number): boolean {
    if (this.#pile === undefined) return false;
    const bucket = this.#pile.nextOf(from, to);
    if (bucket < 0) return false;
    this.#bringInBucket(this.#pile, bucket);
    return true;
  }

  #bringInNext(pile: RunPile): void {
    const bucket = pile.nextOf(0, pile.lastBucket);
    if (bucket >= 0) this.#bringInBucket(pile, bucket);
  }

  #bringInBucket(pile: RunPile, bucket: number): void {
    const nodes = pile.take(bucket);
    this.#index.insertAscending(nodes, 0, nodes.length);
    this.#moves++;
    if (pile.isEmpty) this.#pile = undefined;
  }

  /** To a node, or, when it is none, behind the last one. */
  #returnToNode(node: number, place: OrderedPlace): void {
    if (node < 0) this.#index.seekEnd(place);
    else this.#index.seek(this.#nodes.keyOf(node), place);
  }

  #makeRoom(): void {
    if (this.#notedCount >= maxNoted) {
      this.#bringIn(Number.POSITIVE_INFINITY); // mostly nothing is left of those before
      this.#sortNoted();
      return;
    }
    const noted = new Int32Array(Math.max(leastRoom, this.#noted.length * 2));
    noted.set(this.#noted);
    this.#noted = noted;
  }

  /** Makes what was noted a sorted run: for the pile, or on its way into the index. */
  #sortNoted(): void {
    const arrived = this.#noted.slice(0, this.#notedCount);
    const sorted = arrived.slice();
    sortNodesNow(this.#nodes, sorted);
    this.#notedCount = 0;
    if (!this.#keepsUp) {
      this.#runs.push(sorted);
      this.#arrived.push(arrived);
      return;
    }
    this.#sorted = sorted;
    this.#sortedAt = 0;
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
/** So many are sorted within about a millisecond. */
const maxNoted = 8_192;
/** As many are brought into the index whenever so many are noted. */
const broughtInTogether = 64;
const settledTogether = 4_096;
/** A bucket of the pile is brought into the index whenever so many are noted: about as many as it has. */
const notedPerBucket = 1_024;
