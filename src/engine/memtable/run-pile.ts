import type { NodeTable } from './node-table.js';
import { sortNodesNow } from './sort-nodes.js';

/**
 * Many sorted runs of nodes, parted by key into buckets of about a thousand: a bucket is taken out of all runs, in order,
 * when somebody wants what is in it. So the first who asks for order does not wait for all of it.
 * Hot: bench `engine-write`.
 */
export class RunPile {
  readonly #nodes: NodeTable;
  readonly #runs: readonly Int32Array[];
  /** The first key of each bucket but the first, copied: nodes may go. */
  readonly #boundaries: readonly Uint8Array[];
  readonly #isTaken: Uint8Array;
  #left: number;
  /** In each run the end of the bucket taken last: mostly the next one begins there. */
  readonly #ends: Int32Array;
  #lastTaken = -1;
  /** The bucket asked for last: mostly it is asked for again. */
  #lastFound = 0;

  constructor(nodes: NodeTable, runs: readonly Int32Array[]) {
    this.#nodes = nodes;
    this.#runs = runs;
    this.#boundaries = boundariesOf(nodes, runs);
    this.#isTaken = new Uint8Array(this.#boundaries.length + 1);
    this.#left = this.#isTaken.length;
    this.#ends = new Int32Array(runs.length);
  }

  get isEmpty(): boolean {
    return this.#left === 0;
  }

  get lastBucket(): number {
    return this.#isTaken.length - 1;
  }

  get byteLength(): number {
    return this.#runs.reduce((total, run) => total + run.byteLength, 0);
  }

  /** The bucket that a key belongs to. */
  bucketOf(key: Uint8Array): number {
    let low = 0;
    let high = this.#boundaries.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (Buffer.compare(this.#boundaries[middle], key) <= 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** The bucket that the key of a node belongs to. */
  bucketOfNode(node: number): number {
    const last = this.#lastFound;
    if (!this.#isFrom(node, last + 1) && this.#isFrom(node, last)) return last;
    let low = 0;
    let high = this.#boundaries.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#isFrom(node, middle + 1)) low = middle + 1;
      else high = middle;
    }
    this.#lastFound = low;
    return low;
  }

  /** The first bucket of `from` to `to`, inclusive, in either direction, that is not taken yet; -1 when there is none. */
  nextOf(from: number, to: number): number {
    const step = from <= to ? 1 : -1;
    for (let bucket = from; bucket !== to + step; bucket += step)
      if (this.#isTaken[bucket] === 0) return bucket;
    return -1;
  }

  /** Takes the nodes of a bucket, in order. */
  take(bucket: number): Int32Array {
    const runs = this.#runs;
    const ends = this.#ends;
    const isNext = bucket === this.#lastTaken + 1;
    const begins = isNext ? ends.slice() : Int32Array.from(runs, (run) => this.#search(run, bucket, 0));
    const pieces: Int32Array[] = [];
    for (let i = 0; i < runs.length; i++) {
      ends[i] = this.#search(runs[i], bucket + 1, begins[i]);
      if (ends[i] > begins[i]) pieces.push(runs[i].subarray(begins[i], ends[i]));
    }
    const nodes = joined(pieces);
    if (pieces.length > 1) sortNodesNow(this.#nodes, nodes, sharedByRuns(this.#nodes, pieces));
    this.#isTaken[bucket] = 1;
    this.#left--;
    this.#lastTaken = bucket;
    return nodes;
  }

  /** The first place in a run that belongs to the bucket or to one behind it; it is known to be `from` or behind. */
  #search(run: Int32Array, bucket: number, from: number): number {
    if (bucket > this.#boundaries.length) return run.length;
    let low = from;
    let step = 1;
    while (low + step <= run.length && !this.#isFrom(run[low + step - 1], bucket)) {
      low += step;
      step *= 2;
    }
    let high = Math.min(run.length, low + step - 1);
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#isFrom(run[middle], bucket)) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  /** True when the key of a node is in the bucket or behind it. */
  #isFrom(node: number, bucket: number): boolean {
    if (bucket === 0) return true;
    if (bucket > this.#boundaries.length) return false;
    const boundary = this.#boundaries[bucket - 1];
    return this.#nodes.compare(boundary, 0, boundary.length, node, 0) <= 0;
  }
}

/** Runs one behind the other. */
const joined = (runs: readonly Int32Array[]): Int32Array => {
  const all = new Int32Array(runs.reduce((total, run) => total + run.length, 0));
  joinInto(all, runs);
  return all;
};

/** The same, into an array that has room for them. */
export const joinInto = (all: Int32Array, runs: readonly Int32Array[]): void => {
  let at = 0;
  for (const run of runs) {
    all.set(run, at);
    at += run.length;
  }
};

/** Sorted runs in order, where each lies behind the one before, or each before it, as those of a list's elements do. */
export const inLine = (nodes: NodeTable, runs: readonly Int32Array[]): readonly Int32Array[] | undefined => {
  const isBefore = (run: Int32Array, next: Int32Array): boolean =>
    nodes.compareNodes(run[run.length - 1], next[0]) < 0;
  const pairs = runs.slice(1).map((run, i) => [runs[i], run] as const);
  if (pairs.every(([run, next]) => isBefore(run, next))) return runs;
  if (pairs.every(([run, next]) => isBefore(next, run))) return runs.toReversed();
  return undefined;
};

/** How many first bytes all keys of some sorted runs have in common: those of the first and the last of each. */
export const sharedByRuns = (nodes: NodeTable, runs: readonly Int32Array[]): number => {
  const first = nodes.keyOf(runs[0][0]);
  let shared = first.length;
  for (const run of runs)
    for (const node of [run[0], run[run.length - 1]])
      shared = Math.min(shared, nodes.sharedBytes(node, first));
  return shared;
};

/** Keys that part the runs about evenly: every so many of a sample. */
const boundariesOf = (nodes: NodeTable, runs: readonly Int32Array[]): Uint8Array[] => {
  const sample: number[] = [];
  for (const run of runs) for (let i = sampleStep >>> 1; i < run.length; i += sampleStep) sample.push(run[i]);
  const sorted = Int32Array.from(sample);
  sortNodesNow(nodes, sorted);
  const boundaries: Uint8Array[] = [];
  for (let i = samplesPerBucket; i < sorted.length; i += samplesPerBucket)
    boundaries.push(Uint8Array.from(nodes.keyOf(sorted[i])));
  return boundaries;
};

const sampleStep = 128;
const samplesPerBucket = 8;
