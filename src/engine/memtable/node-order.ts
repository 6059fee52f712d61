import { ArrivedRuns } from './arrived-runs.js';
import type { KeyRun } from './key-run.js';
import type { NodeTable } from './node-table.js';
import { NotedNodes } from './noted-nodes.js';
import { OrderedIndex, type OrderedPlace } from './ordered-index.js';
import { inLine, joinInto, RunPile, sharedByRuns } from './run-pile.js';
import { sortNodes } from './sort-nodes.js';

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
  readonly #noted: NotedNodes;
  /** Runs that nobody has asked for, or that a pile is made of. */
  readonly #runs: ArrivedRuns;
  /** All nodes in order, when they have settled and nobody had asked for the order. */
  #settled: Int32Array | undefined;
  /** Those that somebody has asked for, until all of them are in the index. */
  #pile: RunPile | undefined;
  #isPiledUp = false;
  /** A leaf of the index from whose first to whose last node the pile has nothing left: a walk steps through it as it is. */
  #whole: KeyRun | undefined;
  /** Nodes in order that are on their way into the index. */
  #sorted: Int32Array = noNodes;
  #sortedAt = 0;
  #isAsked = false;
  #keepsUp: boolean;
  #moves = 0;

  /**
   * @param keepsUp whether it is expected that order is asked for
   * @param expected how many nodes there will probably be
   */
  constructor(nodes: NodeTable, keepsUp: boolean, expected: number) {
    this.#nodes = nodes;
    this.#index = new OrderedIndex(nodes);
    this.#noted = new NotedNodes(nodes);
    this.#runs = new ArrivedRuns(nodes.memory, expected);
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

  /** The bytes are the key of the node. */
  add(id: number, bytes: Uint8Array, start: number, end: number): void {
    const noted = this.#noted;
    if (noted.isFull) {
      this.#bringIn(Number.POSITIVE_INFINITY); // mostly nothing is left of those before
      this.#sortNoted();
    }
    noted.add(id, bytes, start, end);
    if (this.#sorted.length > 0 && noted.count % broughtInTogether === 0) this.#bringIn(broughtInTogether);
    if (this.#pile !== undefined && noted.count % notedPerBucket === 0) this.#bringInNext(this.#pile);
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
    this.#noted.clear();
    this.#runs.clear();
    if (this.#settled !== undefined) this.#nodes.memory.giveWords(this.#settled);
    this.#settled = undefined;
    this.#pile = undefined;
    this.#whole = undefined;
    this.#isPiledUp = false;
    this.#sorted = noNodes;
    this.#sortedAt = 0;
  }

  /**
   * All nodes in order, when they have settled and nobody has asked for the order before. Otherwise the index has them
   * or gets them.
   */
  get sortedNodes(): Int32Array | undefined {
    return this.#isAsked ? undefined : this.#settled;
  }

  /**
   * Brings all nodes in order, in steps of about a millisecond; nothing may be added from now on. Into the index only
   * when somebody has asked for the order: for a walk through all of them one run is as good.
   */
  *settling(): Generator<undefined, void> {
    // Between two steps somebody may ask for the order, and so do part of all this.
    if (!this.#keepsUp && this.#noted.count > 0) this.#sortNoted();
    yield;
    if (!this.#keepsUp && this.#settled === undefined) yield* this.#joinRuns();
    if (this.sortedNodes !== undefined) {
      this.#noted.clear();
      return;
    }
    this.#pileUp();
    while (this.#pile !== undefined) {
      this.#bringInNext(this.#pile);
      yield;
    }
    while (this.#sorted.length > 0 || this.#noted.count > 0) {
      if (this.#sorted.length === 0) this.#sortNoted();
      else this.#bringIn(settledTogether);
      this.#moves++;
      yield;
    }
    this.#noted.clear();
  }

  /** Makes one run of all, aside: should somebody ask for the order meanwhile, the runs are there. */
  *#joinRuns(): Generator<undefined, void> {
    const { runs, arrived } = this.#runs;
    const all = this.#nodes.memory.takeWords(arrived.length);
    const following = inLine(this.#nodes, runs);
    if (following === undefined) {
      // All at once is less work than by buckets, and in the order in which nodes lie in memory less than in that of runs.
      all.set(arrived);
      yield* sortNodes(this.#nodes, all, sharedByRuns(this.#nodes, runs));
    } else {
      joinInto(all, following);
    }
    this.#settled ??= all;
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
    if (this.#pile === undefined || this.#isNextBeside(this.#pile, place, 1)) {
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
    if (this.#pile === undefined || this.#isNextBeside(this.#pile, place, -1)) {
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
    const parts = [this.#index, this.#noted, this.#sorted, this.#runs, this.#settled ?? noNodes];
    return parts.reduce((total, { byteLength }) => total + byteLength, 0);
  }

  /** Makes all nodes ready to be looked for: in the index, or in the pile. */
  #settle(): void {
    this.#isAsked = true;
    this.#keepsUp = true;
    this.#pileUp();
    if (this.#noted.count === 0 && this.#sorted.length === 0) return;
    this.#bringIn(Number.POSITIVE_INFINITY);
    if (this.#noted.count > 0) this.#sortNoted();
    this.#bringIn(Number.POSITIVE_INFINITY);
  }

  #pileUp(): void {
    if (this.#isPiledUp || this.#runs.count === 0) return;
    this.#isPiledUp = true;
    this.#pile = new RunPile(this.#nodes, this.#settled === undefined ? this.#runs.runs : [this.#settled]);
  }

  /** True when the next node stands in the same leaf and the pile has nothing in between. */
  #isNextBeside(pile: RunPile, { run, at }: OrderedPlace, step: number): boolean {
    if (run === undefined || at + step < 0 || at + step >= run.length) return false;
    if (run === this.#whole) return true;
    const first = pile.bucketOfNode(run.idAt(0));
    if (pile.nextOf(first, pile.bucketOfNode(run.idAt(run.length - 1))) >= 0) return false;
    this.#whole = run;
    return true;
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
    this.#whole = undefined;
    this.#index.insertAscending(nodes, 0, nodes.length);
    this.#moves++;
    if (pile.isEmpty) this.#pile = undefined;
  }

  /** To a node, or, when it is none, behind the last one. */
  #returnToNode(node: number, place: OrderedPlace): void {
    if (node < 0) this.#index.seekEnd(place);
    else this.#index.seek(this.#nodes.keyOf(node), place);
  }

  /** Makes what was noted a sorted run: for the pile, or on its way into the index. */
  #sortNoted(): void {
    if (!this.#keepsUp) {
      this.#runs.add(this.#noted);
      return;
    }
    this.#sorted = new Int32Array(this.#noted.count);
    this.#sortedAt = 0;
    this.#noted.sortInto(this.#sorted);
  }

  #bringIn(count: number): void {
    if (this.#sorted.length === 0) return;
    const end = Math.min(this.#sorted.length, this.#sortedAt + count);
    this.#whole = undefined;
    this.#index.insertAscending(this.#sorted, this.#sortedAt, end);
    this.#sortedAt = end;
    if (end < this.#sorted.length) return;
    this.#sorted = noNodes;
    this.#sortedAt = 0;
  }
}

const noNodes = new Int32Array(0);
/** As many are brought into the index whenever so many are noted. */
const broughtInTogether = 64;
const settledTogether = 4_096;
/** A bucket of the pile is brought into the index whenever so many are noted: about as many as it has. */
const notedPerBucket = 1_024;
