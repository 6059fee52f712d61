/**
 * Orders a key that is searched for against that of a node: 0 when they are equal, else ±(1 + how many of their first
 * bytes they share), above 0 when the key comes behind the node's. The first `skip` bytes are known to be the same.
 */
export type CompareWithNode = (id: number, skip: number) => number;

/**
 * Node ids in key order: a list of leaves, each a short sorted array. Finding a place is a binary search over the
 * leaves' first keys, then one within the leaf; adding shifts one leaf and now and then splits it.
 *
 * Keys of one sorted set or list begin alike. What a key shares with its nearest neighbours found so far, it shares
 * with all between them, so that a search compares those bytes only once.
 */
export class OrderedIndex {
  readonly #leaves: Leaf[] = [];
  /** Grows with every change of the order, so that iterators notice. */
  version = 0;
  size = 0;
  readonly #bounds: SharedBytes = { below: 0, above: 0 };
  /** The leaf of the last insert, and whether the one before it went there, too: then the next one may as well. */
  #lastLeaf = -1;
  #isRun = false;

  /** Adds a node that is not in the index. */
  insert(id: number, compare: CompareWithNode): void {
    this.version++;
    this.size++;
    if (this.#leaves.length === 0) this.#leaves.push(new Leaf());
    const isAgain = this.#isRun && this.#belongsTo(this.#lastLeaf, compare);
    const at = isAgain ? this.#lastLeaf : Math.max(0, this.#leafFor(compare));
    this.#isRun = at === this.#lastLeaf;
    this.#lastLeaf = at;
    const leaf = this.#leaves[at];
    leaf.insert(leaf.lowerBound(compare, this.#bounds), id);
    if (leaf.length < leafCapacity) return;
    this.#leaves.splice(at + 1, 0, leaf.split(at === this.#leaves.length - 1));
    this.#isRun = false; // the next one shows which of the two goes on
  }

  remove(id: number, compare: CompareWithNode): void {
    this.version++;
    const at = this.#leafFor(compare);
    const leaf = this.#leaves[at];
    const place = leaf?.lowerBound(compare, this.#bounds) ?? 0;
    if (leaf === undefined || leaf.ids[place] !== id)
      throw new RangeError('the node is not in the ordered index');
    leaf.remove(place);
    this.size--;
    if (leaf.length > 0) return;
    this.#leaves.splice(at, 1);
    this.#isRun = false;
  }

  clear(): void {
    this.version++;
    this.size = 0;
    this.#leaves.length = 0;
    this.#isRun = false;
  }

  /** Place of the first node whose key is not less. */
  seek(compare: CompareWithNode, place: OrderedPlace): void {
    place.leaf = Math.max(0, this.#leafFor(compare));
    place.at = this.#leaves[place.leaf]?.lowerBound(compare, this.#bounds) ?? 0;
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

  /** True when the key belongs into this leaf; `bounds` then tell what it shares with the keys around. */
  #belongsTo(at: number, compare: CompareWithNode): boolean {
    const bounds = this.#bounds;
    bounds.below = 0;
    bounds.above = 0;
    const order = compare(this.#leaves[at].ids[0], 0);
    if (order < 0) {
      bounds.above = -order - 1;
      return at === 0;
    }
    bounds.below = order === 0 ? allBytes : order - 1;
    if (at + 1 === this.#leaves.length) return true;
    const next = compare(this.#leaves[at + 1].ids[0], 0);
    bounds.above = -next - 1;
    return next < 0;
  }

  /** The last leaf whose first key is not greater than the wanted one; -1 when there is none. */
  #leafFor(compare: CompareWithNode): number {
    const leaves = this.#leaves;
    const bounds = this.#bounds;
    bounds.below = 0;
    bounds.above = 0;
    let low = 0;
    let high = leaves.length;
    if (high === 0) return -1;
    // Keys often come in order: look at the last leaf first.
    for (let at = high - 1; low < high; at = (low + high) >>> 1) {
      const order = compare(leaves[at].ids[0], Math.min(bounds.below, bounds.above));
      if (order >= 0) {
        low = at + 1;
        bounds.below = order === 0 ? allBytes : order - 1;
      } else {
        high = at;
        bounds.above = -order - 1;
      }
    }
    return low - 1;
  }
}

/** How many first bytes the wanted key shares with its nearest known neighbours on either side. */
interface SharedBytes {
  below: number;
  above: number;
}

/** A place in an OrderedIndex; good until the index's version changes. */
export interface OrderedPlace {
  leaf: number;
  at: number;
}

class Leaf {
  readonly ids = new Uint32Array(leafCapacity);
  length = 0;
  #insertedAt = -1;
  /** Distance between the places of the last two inserts: 0 when keys come in descending order, 1 in ascending. */
  #distance = Number.NaN;

  /** First place whose key is not less than the wanted one. `bounds`: what the leaf's neighbours told. */
  lowerBound(compare: CompareWithNode, bounds: SharedBytes): number {
    let { below, above } = bounds;
    let low = 0;
    let high = this.length;
    for (let at = high - 1; low < high; at = (low + high) >>> 1) {
      const order = compare(this.ids[at], Math.min(below, above));
      if (order > 0) {
        low = at + 1;
        below = order - 1;
      } else {
        high = at;
        above = order === 0 ? allBytes : -order - 1;
      }
    }
    return low;
  }

  insert(at: number, id: number): void {
    const { ids } = this;
    for (let i = this.length; i > at; i--) ids[i] = ids[i - 1]; // so few: a call of copyWithin costs more
    ids[at] = id;
    this.length++;
    this.#distance = at - this.#insertedAt;
    this.#insertedAt = at;
  }

  remove(at: number): void {
    this.ids.copyWithin(at, at + 1, this.length);
    this.length--;
  }

  /**
   * Moves the upper half to a new leaf. Where keys come in order it parts them where they come, so that one leaf stays
   * full and the other has room for what follows.
   */
  split(isLast: boolean): Leaf {
    const upper = new Leaf();
    let keep = leafCapacity >>> 1;
    if (isLast && this.#insertedAt === this.length - 1) keep = leafCapacity - 8;
    else if (this.#distance === 0) keep = Math.max(1, this.#insertedAt);
    else if (this.#distance === 1) keep = Math.min(this.length - 1, this.#insertedAt + 1);
    upper.ids.set(this.ids.subarray(keep, this.length));
    upper.length = this.length - keep;
    this.length = keep;
    this.#insertedAt = -1;
    return upper;
  }
}

const leafCapacity = 128;
const allBytes = Number.MAX_SAFE_INTEGER;
