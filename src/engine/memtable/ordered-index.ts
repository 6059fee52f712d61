import { KeyRun, runCapacity } from './key-run.js';
import type { NodeTable } from './node-table.js';
import type { WantedKey } from './wanted-key.js';

/**
 * Node ids in key order: leaves of ids, branches of leaves, and one root of branches, which may be of any size. Each
 * level finds its way by a `KeyRun` of the first keys of what lies below.
 */
export class OrderedIndex {
  readonly #nodes: NodeTable;
  #root: Branch<Branch<KeyRun>>;
  #leaves = 0;
  readonly #wanted: WantedKey = { bytes: new Uint8Array(0), start: 0, end: 0, shared: 0, digest: 0 };
  readonly #place = new OrderedPlace();

  constructor(nodes: NodeTable) {
    this.#nodes = nodes;
    this.#root = new Branch(new KeyRun(nodes), []);
  }

  /** Adds nodes that are not in the index, `ids` from `from` to `to`, whose keys ascend. */
  insertAscending(ids: Int32Array, from: number, to: number): void {
    const place = this.#place;
    let isPlaced = false;
    for (let i = from; i < to; i++) {
      this.#nodes.readKey(ids[i], this.#wanted);
      if (!isPlaced || !this.#locateInLeaf(place)) this.#locate(place);
      isPlaced = true;
      if (to - i >= fewestAppended && this.#isEnd(place)) {
        for (; to - i >= fewestAppended; i += appendedTogether)
          this.#append(KeyRun.of(this.#nodes, ids.subarray(i, Math.min(to, i + appendedTogether))));
        isPlaced = false;
        i--;
        continue;
      }
      this.#insertAt(place, ids[i]);
    }
  }

  /** Adds a leaf behind all others. */
  #append(leaf: KeyRun): void {
    const root = this.#root;
    const { children } = root;
    let last = children[children.length - 1];
    if (last === undefined || last.children.length === runCapacity - 1) {
      last = new Branch(new KeyRun(this.#nodes), []);
      root.add(children.length, last, leaf.idAt(0));
    }
    last.add(last.children.length, leaf, leaf.idAt(0));
    this.#leaves++;
  }

  #insertAt(place: OrderedPlace, id: number): void {
    const root = this.#root;
    if (place.run === undefined) {
      const leaf = new KeyRun(this.#nodes);
      leaf.insert(0, id);
      root.add(0, new Branch(new KeyRun(this.#nodes), []), id);
      root.children[0].add(0, leaf, id);
      this.#leaves = 1;
      return;
    }
    place.run.insert(place.at, id, this.#wanted);
    if (place.at === 0) this.#renewFirst(place);
    if (place.run.length < runCapacity) return;
    const branch = root.children[place.branch];
    const upper = place.run.split();
    place.run = undefined;
    branch.add(place.leaf + 1, upper, upper.idAt(0));
    this.#leaves++;
    if (branch.children.length < runCapacity) return;
    const upperBranch = branch.split();
    root.add(place.branch + 1, upperBranch, upperBranch.firsts.idAt(0));
  }

  /** Removes a node; the bytes are its key. */
  remove(id: number, bytes: Uint8Array, start: number, end: number): void {
    const place = this.#place;
    this.#want(bytes, start, end);
    this.#locate(place);
    const { run } = place;
    if (run === undefined || run.idAt(place.at) !== id)
      throw new RangeError('the node is not in the ordered index');
    run.remove(place.at);
    if (run.length > 0) {
      if (place.at === 0) this.#renewFirst(place);
      return;
    }
    const branch = this.#root.children[place.branch];
    branch.remove(place.leaf);
    this.#leaves--;
    if (branch.children.length === 0) this.#root.remove(place.branch);
    else this.#root.firsts.replace(place.branch, branch.firsts.idAt(0));
  }

  clear(): void {
    this.#root = new Branch(new KeyRun(this.#nodes), []);
    this.#leaves = 0;
  }

  /** Place of the first node whose key is not less. */
  seek(key: Uint8Array, place: OrderedPlace): void {
    this.#want(key, 0, key.length);
    this.#locate(place);
    if (place.run !== undefined && place.at === place.run.length) this.#toNextLeaf(place);
  }

  seekFirst(place: OrderedPlace): void {
    this.#settle(place, 0, 0);
    place.at = 0;
  }

  /** Sets `place` behind the last node. */
  seekEnd(place: OrderedPlace): void {
    this.#settle(place, this.#root.children.length, 0);
    place.at = 0;
  }

  /** To a place that was left with these numbers, while nothing has changed. */
  returnTo(place: OrderedPlace, branch: number, leaf: number, at: number): void {
    this.#settle(place, branch, leaf);
    place.at = at;
  }

  forward(place: OrderedPlace): void {
    if (place.run !== undefined && ++place.at === place.run.length) this.#toNextLeaf(place);
  }

  /** From the first node it goes to where there is none. */
  backward(place: OrderedPlace): void {
    if (--place.at >= 0 && place.run !== undefined) return;
    let { branch, leaf } = place;
    if (--leaf < 0) leaf = (this.#root.children[--branch]?.children.length ?? 0) - 1;
    this.#settle(place, branch, leaf);
    place.at = (place.run?.length ?? 0) - 1;
  }

  get byteLength(): number {
    return this.#leaves * runCapacity * 8;
  }

  #want(bytes: Uint8Array, start: number, end: number): void {
    const wanted = this.#wanted;
    wanted.bytes = bytes;
    wanted.start = start;
    wanted.end = end;
    wanted.shared = 0;
  }

  /** The place in the leaf where the wanted key belongs: that of the first key there which is not less. */
  #locate(place: OrderedPlace): void {
    const wanted = this.#wanted;
    wanted.shared = 0;
    const root = this.#root;
    place.branch = Math.max(0, root.firsts.search(wanted, true) - 1);
    const branch = root.children[place.branch];
    place.leaf = branch === undefined ? 0 : Math.max(0, branch.firsts.search(wanted, true) - 1);
    place.run = branch?.children[place.leaf];
    place.at = place.run?.search(wanted, false) ?? 0;
  }

  /** As `#locate` for a key behind the place; false when it may belong to another leaf. */
  #locateInLeaf(place: OrderedPlace): boolean {
    const { run } = place;
    if (run === undefined) return false;
    place.at = run.search(this.#wanted, false, place.at);
    // Behind the last key of the leaf it may belong to the next one.
    return place.at < run.length || this.#isEnd(place);
  }

  /** True behind the last node. */
  #isEnd({ run, branch, leaf, at }: OrderedPlace): boolean {
    if (run === undefined) return true;
    const { children } = this.#root;
    return (
      at === run.length && branch === children.length - 1 && leaf === children[branch].children.length - 1
    );
  }

  #toNextLeaf(place: OrderedPlace): void {
    const { branch, leaf } = place;
    if (leaf + 1 < this.#root.children[branch].children.length) this.#settle(place, branch, leaf + 1);
    else this.#settle(place, branch + 1, 0);
    place.at = 0;
  }

  #settle(place: OrderedPlace, branch: number, leaf: number): void {
    place.branch = branch;
    place.leaf = leaf;
    place.run = this.#root.children[branch]?.children[leaf];
  }

  /** The first key of a leaf, and so perhaps of its branch, is another one. */
  #renewFirst(place: OrderedPlace): void {
    const branch = this.#root.children[place.branch];
    branch.firsts.replace(place.leaf, branch.children[place.leaf].idAt(0));
    if (place.leaf === 0) this.#root.firsts.replace(place.branch, branch.firsts.idAt(0));
  }
}

/** A place in an OrderedIndex; good until the index's version changes. */
export class OrderedPlace {
  branch = 0;
  leaf = 0;
  /** The leaf; undefined outside of the index. */
  run: KeyRun | undefined;
  at = 0;

  /** The node there; -1 when there is none. */
  get id(): number {
    return this.run === undefined ? -1 : this.run.idAt(this.at);
  }
}

/** Parts of the index side by side, and the first key of each. */
class Branch<Child> {
  readonly firsts: KeyRun;
  readonly children: Child[];

  constructor(firsts: KeyRun, children: Child[]) {
    this.firsts = firsts;
    this.children = children;
  }

  add(at: number, child: Child, first: number): void {
    this.firsts.insert(at, first);
    this.children.splice(at, 0, child);
  }

  remove(at: number): void {
    this.firsts.remove(at);
    this.children.splice(at, 1);
  }

  /** Moves the upper half to a new branch. */
  split(): Branch<Child> {
    const firsts = this.firsts.split();
    return new Branch(firsts, this.children.splice(this.firsts.length));
  }
}

/** Nodes that make a leaf when they come in order, which leaves room for others. */
const appendedTogether = 112;
/** Fewer nodes than that rather fill up the last leaf. */
const fewestAppended = 32;
