import type { Allocator } from './allocator.js';

/**
 * The 2011 design: a free list for each size up to the longest request and one list for all above; every block,
 * free or used, a node in a doubly linked chain in physical order, so that a freed block joins both neighbours.
 * Seven 32-bit fields a node: address, free list previous and next, physical previous and next, size, used.
 */
export class SegregatedLists implements Allocator {
  readonly name = 'segregated lists (2011)';
  readonly #address: Uint32Array;
  readonly #freePrevious: Uint32Array;
  readonly #freeNext: Uint32Array;
  readonly #previous: Uint32Array;
  readonly #next: Uint32Array;
  readonly #size: Uint32Array;
  readonly #used: Uint32Array;
  readonly #heads: Uint32Array;
  readonly #maxRun: number;
  #top = 1;
  #spare = 0;
  #nodes = 0;
  #peakNodes = 0;

  constructor(units: number, maxRun: number, maxNodes: number) {
    const array = (): Uint32Array => new Uint32Array(maxNodes + 1);
    this.#address = array();
    this.#freePrevious = array();
    this.#freeNext = array();
    this.#previous = array();
    this.#next = array();
    this.#size = array();
    this.#used = array();
    this.#heads = new Uint32Array(maxRun + 2);
    this.#maxRun = maxRun;
    const all = this.#newNode();
    this.#size[all] = units;
    this.#push(all);
  }

  get byteLength(): number {
    return this.#peakNodes * 28;
  }

  allocate(length: number): number {
    let list = length;
    while (list <= this.#maxRun && this.#heads[list] === 0) list++;
    let node = this.#heads[list];
    if (list > this.#maxRun) while (node !== 0 && this.#size[node] < length) node = this.#freeNext[node];
    if (node === 0) return -1;
    this.#unlink(node);
    const rest = this.#size[node] - length;
    if (rest > 0) {
      const remainder = this.#newNode();
      this.#address[remainder] = this.#address[node] + length;
      this.#size[remainder] = rest;
      this.#used[remainder] = 0;
      const next = this.#next[node];
      this.#previous[remainder] = node;
      this.#next[remainder] = next;
      if (next !== 0) this.#previous[next] = remainder;
      this.#next[node] = remainder;
      this.#size[node] = length;
      this.#push(remainder);
    }
    this.#used[node] = 1;
    return node;
  }

  free(handle: number): void {
    let node = handle;
    const next = this.#next[node];
    if (next !== 0 && this.#used[next] === 0) this.#absorb(node, next);
    const previous = this.#previous[node];
    if (previous !== 0 && this.#used[previous] === 0) {
      this.#unlink(previous);
      this.#size[previous] += this.#size[node];
      this.#dropFromChain(previous, node);
      node = previous;
    }
    this.#used[node] = 0;
    this.#push(node);
  }

  #absorb(node: number, next: number): void {
    this.#unlink(next);
    this.#size[node] += this.#size[next];
    this.#dropFromChain(node, next);
  }

  #dropFromChain(before: number, node: number): void {
    const behind = this.#next[node];
    this.#next[before] = behind;
    if (behind !== 0) this.#previous[behind] = before;
    this.#next[node] = this.#spare;
    this.#spare = node;
    this.#nodes--;
  }

  #newNode(): number {
    let node = this.#spare;
    if (node !== 0) this.#spare = this.#next[node];
    else node = this.#top++;
    if (node >= this.#address.length) throw new Error('the node pool is too small for this workload');
    if (++this.#nodes > this.#peakNodes) this.#peakNodes = this.#nodes;
    return node;
  }

  #listOf(node: number): number {
    return Math.min(this.#size[node], this.#maxRun + 1);
  }

  #push(node: number): void {
    const list = this.#listOf(node);
    const head = this.#heads[list];
    this.#freePrevious[node] = 0;
    this.#freeNext[node] = head;
    if (head !== 0) this.#freePrevious[head] = node;
    this.#heads[list] = node;
  }

  #unlink(node: number): void {
    const previous = this.#freePrevious[node];
    const next = this.#freeNext[node];
    if (previous !== 0) this.#freeNext[previous] = next;
    else this.#heads[this.#listOf(node)] = next;
    if (next !== 0) this.#freePrevious[next] = previous;
  }
}
