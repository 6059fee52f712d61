/**
 * Node ids in key order: a list of leaves, each a short sorted array. Finding a place is a binary search over the
 * leaves' first keys, then one within the leaf; adding shifts one leaf and now and then splits it.
 */
export class OrderedIndex {
  readonly #leaves: Leaf[] = [];
  /** Grows with every change of the order, so that iterators notice. */
  version = 0;
  size = 0;

  /** Adds a node that is not in the index. `compare(id)` orders the new key against that node's. */
  insert(id: number, compare: (id: number) => number): void {
    this.version++;
    this.size++;
    if (this.#leaves.length === 0) this.#leaves.push(new Leaf());
    const at = Math.max(0, this.#leafFor(compare));
    const leaf = this.#leaves[at];
    leaf.insert(leaf.lowerBound(compare), id);
    if (leaf.length === leafCapacity)
      this.#leaves.splice(at + 1, 0, leaf.split(at === this.#leaves.length - 1));
  }

  remove(id: number, compare: (id: number) => number): void {
    this.version++;
    const at = this.#leafFor(compare);
    const leaf = this.#leaves[at];
    const place = leaf?.lowerBound(compare) ?? 0;
    if (leaf === undefined || leaf.ids[place] !== id)
      throw new RangeError('the node is not in the ordered index');
    leaf.remove(place);
    this.size--;
    if (leaf.length === 0) this.#leaves.splice(at, 1);
  }

  clear(): void {
    this.version++;
    this.size = 0;
    this.#leaves.length = 0;
  }

  /** Place of the first node whose key is not less: `compare(id)` orders the wanted key against that node's. */
  seek(compare: (id: number) => number, place: OrderedPlace): void {
    place.leaf = Math.max(0, this.#leafFor(compare));
    place.at = this.#leaves[place.leaf]?.lowerBound(compare) ?? 0;
    if (place.at >= (this.#leaves[place.leaf]?.length ?? 0) && place.leaf < this.#leaves.length) {
      place.leaf++;
      place.at = 0;
    }
  }

  seekFirst(place: OrderedPlace): void {
    place.leaf = 0;
    place.at = 0;
  }

  /** Sets `place` behind the last node. */
  seekEnd(place: OrderedPlace): void {
    place.leaf = this.#leaves.length;
    place.at = 0;
  }

  /** The node at a place; -1 when it lies outside. */
  idAt(place: OrderedPlace): number {
    const leaf = this.#leaves[place.leaf];
    return leaf !== undefined && place.at >= 0 && place.at < leaf.length ? leaf.ids[place.at] : -1;
  }

  forward(place: OrderedPlace): void {
    if (++place.at < (this.#leaves[place.leaf]?.length ?? 0)) return;
    place.leaf++;
    place.at = 0;
  }

  backward(place: OrderedPlace): void {
    if (--place.at >= 0) return;
    place.leaf--;
    place.at = (this.#leaves[place.leaf]?.length ?? 0) - 1;
  }

  get byteLength(): number {
    return this.#leaves.length * leafCapacity * 4;
  }

  /** The last leaf whose first key is not greater than the wanted one; -1 when there is none. */
  #leafFor(compare: (id: number) => number): number {
    const leaves = this.#leaves;
    let low = 0;
    let high = leaves.length;
    // Keys often come in order: look at the last leaf first.
    if (high > 0 && compare(leaves[high - 1].ids[0]) >= 0) return high - 1;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (compare(leaves[middle].ids[0]) >= 0) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }
}

/** A place in an OrderedIndex; good until the index's version changes. */
export interface OrderedPlace {
  leaf: number;
  at: number;
}

class Leaf {
  readonly ids = new Uint32Array(leafCapacity);
  length = 0;

  /** First place whose key is not less than the wanted one. */
  lowerBound(compare: (id: number) => number): number {
    let low = 0;
    let high = this.length;
    if (high > 0 && compare(this.ids[high - 1]) > 0) return high;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (compare(this.ids[middle]) > 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  insert(at: number, id: number): void {
    this.ids.copyWithin(at + 1, at, this.length);
    this.ids[at] = id;
    this.length++;
  }

  remove(at: number): void {
    this.ids.copyWithin(at, at + 1, this.length);
    this.length--;
  }

  /** Moves the upper half to a new leaf; only the last few of the last leaf, since keys often come in order. */
  split(isLast: boolean): Leaf {
    const upper = new Leaf();
    const keep = isLast ? leafCapacity - 8 : leafCapacity >>> 1;
    upper.ids.set(this.ids.subarray(keep, this.length));
    upper.length = this.length - keep;
    this.length = keep;
    return upper;
  }
}

const leafCapacity = 128;
