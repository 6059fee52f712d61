import { digestOf, type NodeTable } from './node-table.js';
import type { WantedKey } from './wanted-key.js';

/**
 * Node ids in key order. Beside each id stands a digest: the four bytes of its key that follow the prefix that all
 * keys of the run have in common. A search compares digests, which lie side by side, and looks at a key itself, which
 * lies anywhere, only when they are the same. Hot: bench `engine-write`.
 */
export class KeyRun {
  length = 0;
  readonly #nodes: NodeTable;
  /** A digest and an id, in turn. */
  #entries = new Int32Array(runCapacity * 2);
  /** All keys begin with it. It may be shorter than could be: keys that are removed do not make it longer. */
  #prefix: Uint8Array = noBytes;
  #insertedAt = -1;
  /** Distance between the places of the last two inserts: 0 when keys come in descending order, 1 in ascending. */
  #distance = Number.NaN;
  /** How many inserts in a row had this distance. */
  #inARow = 0;

  constructor(nodes: NodeTable) {
    this.#nodes = nodes;
  }

  /** A run of nodes whose keys ascend. */
  static of(nodes: NodeTable, ids: Int32Array): KeyRun {
    const run = new KeyRun(nodes);
    for (let i = 0; i < ids.length; i++) run.#entries[i * 2 + 1] = ids[i];
    run.length = ids.length;
    const first = run.#firstBytes(ids[0]);
    run.#usePrefix(first.subarray(0, nodes.sharedBytes(ids[ids.length - 1], first)));
    return run;
  }

  idAt(at: number): number {
    return this.#entries[at * 2 + 1];
  }

  /**
   * First place whose key is greater than the wanted one, or, unless `skipsEqual`, not less. It is known to be `from`
   * or behind.
   */
  search(wanted: WantedKey, skipsEqual: boolean, from = 0): number {
    const { bytes, start, end } = wanted;
    const prefix = this.#prefix;
    let at = Math.min(wanted.shared, prefix.length);
    while (at < prefix.length && start + at < end && bytes[start + at] === prefix[at]) at++;
    wanted.shared = at;
    if (at < prefix.length) return start + at < end && bytes[start + at] > prefix[at] ? this.length : 0;
    const digest = digestOf(bytes, start + at, end);
    wanted.digest = digest;
    const entries = this.#entries;
    let low = from;
    let high = this.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const other = entries[middle * 2];
      const isBehind =
        digest === other
          ? this.#nodes.compare(bytes, start, end, entries[middle * 2 + 1], at) >= (skipsEqual ? 0 : 1)
          : digest > other;
      if (isBehind) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Adds a node; `wanted` is its key if that was searched here just now. */
  insert(at: number, id: number, wanted?: WantedKey): void {
    if (this.length * 2 === this.#entries.length) this.#grow();
    if (at < this.length) this.#entries.copyWithin(at * 2 + 2, at * 2, this.length * 2);
    if (this.length++ === 0) this.#prefix = this.#firstBytes(id);
    const distance = at - this.#insertedAt;
    this.#inARow = distance === this.#distance ? this.#inARow + 1 : 1;
    this.#distance = distance;
    this.#insertedAt = at;
    if (wanted === undefined || wanted.shared < this.#prefix.length) {
      this.replace(at, id);
      return;
    }
    this.#entries[at * 2] = wanted.digest;
    this.#entries[at * 2 + 1] = id;
  }

  /** Puts another node in place of one. */
  replace(at: number, id: number): void {
    this.#entries[at * 2 + 1] = id;
    const shared = this.#nodes.sharedBytes(id, this.#prefix);
    if (shared < this.#prefix.length) this.#usePrefix(this.#prefix.subarray(0, shared));
    else this.#entries[at * 2] = this.#nodes.digest(id, shared);
  }

  remove(at: number): void {
    this.#entries.copyWithin(at * 2, at * 2 + 2, this.length * 2);
    this.length--;
  }

  /**
   * Moves the upper half to a new run. Where keys come in order it parts them where they come, so that one run stays
   * full and the other has room for what follows.
   */
  split(): KeyRun {
    const upper = new KeyRun(this.#nodes);
    const { length } = this;
    let keep = length >>> 1;
    if (this.#inARow >= inOrder && this.#distance === 0) keep = Math.max(1, this.#insertedAt);
    else if (this.#inARow >= inOrder && this.#distance === 1)
      keep = Math.min(length - 1, this.#insertedAt + 1);
    upper.#entries.set(this.#entries.subarray(keep * 2, length * 2));
    upper.length = length - keep;
    upper.#prefix = this.#prefix;
    upper.#extendPrefix();
    this.length = keep;
    this.#insertedAt = -1;
    this.#extendPrefix();
    return upper;
  }

  /** The longest prefix: what the first and the last key share, all between them share. */
  #extendPrefix(): void {
    const first = this.#firstBytes(this.idAt(0));
    const shared = this.#nodes.sharedBytes(this.idAt(this.length - 1), first);
    if (shared > this.#prefix.length) this.#usePrefix(first.subarray(0, shared));
  }

  /** A copy of what may become the prefix. */
  #firstBytes(id: number): Uint8Array {
    return Uint8Array.prototype.slice.call(this.#nodes.keyOf(id), 0, maxPrefixBytes);
  }

  #usePrefix(prefix: Uint8Array): void {
    this.#prefix = prefix;
    const entries = this.#entries;
    for (let i = 0; i < this.length * 2; i += 2)
      entries[i] = this.#nodes.digest(entries[i + 1], prefix.length);
  }

  #grow(): void {
    const entries = new Int32Array(this.#entries.length * 2);
    entries.set(this.#entries);
    this.#entries = entries;
  }
}

/** At so many ids a run is split, except the one at the root. */
export const runCapacity = 128;
/** After so many inserts side by side more of them are expected there. */
const inOrder = 16;
/** Longer ones are not worth a copy: then digests tie, and keys themselves are compared. */
const maxPrefixBytes = 256;
const noBytes = new Uint8Array(0);
