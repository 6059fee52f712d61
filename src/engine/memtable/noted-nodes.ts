import { digestOf, type NodeTable } from './node-table.js';
import { digestBytes, sortRoomNow } from './sort-nodes.js';
import { SortRoom } from './sort-room.js';

/**
 * The nodes that came last, up to some thousands, to be sorted together. What sorting needs of a key is noted while the key
 * is at hand: whether it is in line with the one before, and a digest of what follows the prefix that all have in common. So
 * no key, which lies anywhere by then, is looked at again. Hot: benches `engine-write`, `server`.
 */
export class NotedNodes {
  readonly #nodes: NodeTable;
  #room: SortRoom | undefined;
  #count = 0;
  /** The first bytes of the first key that ever came; of these all that came have the first `#shared`. */
  #prefix: Uint8Array | undefined;
  #shared = 0;
  /** > 0: the keys ascend; < 0: they descend; 0: neither. */
  #line = 0;

  constructor(nodes: NodeTable) {
    this.#nodes = nodes;
  }

  get count(): number {
    return this.#count;
  }

  get isFull(): boolean {
    return this.#count === mostNoted;
  }

  get byteLength(): number {
    return this.#room?.byteLength ?? 0;
  }

  /** Notes a node, unless it is full. The bytes are its key. */
  add(id: number, bytes: Uint8Array, start: number, end: number): void {
    const at = this.#count++;
    const room = this.#room !== undefined && at < this.#room.capacity ? this.#room : this.#largerRoom();
    this.#shorten(bytes, start, end);
    const from = start + this.#shared;
    const high = digestOf(bytes, from, end);
    const low = digestOf(bytes, from + digestBytes, end);
    room.ids[at] = id;
    room.high[at] = high;
    room.low[at] = low;
    if (at === 0) return;
    if (at > 1 && this.#line === 0) return;
    const difference = high - room.high[at - 1] || low - room.low[at - 1];
    const line = Math.sign(difference || this.#nodes.compareNodes(id, room.ids[at - 1]));
    this.#line = at === 1 || line === this.#line ? line : 0;
  }

  /** Puts them in order into an array for as many, and forgets them; into another one as they came. */
  sortInto(sorted: Int32Array, arrived?: Int32Array): void {
    const room = this.#room;
    if (room === undefined) return;
    const ids = room.ids.subarray(0, this.#count);
    arrived?.set(ids);
    if (this.#line === 0 && this.#count > 1) {
      sortRoomNow(this.#nodes, room, sorted, this.#shared);
    } else {
      sorted.set(ids);
      if (this.#line < 0) sorted.reverse();
    }
    this.#count = 0;
    this.#line = 0;
  }

  /** Forgets all, and gives its memory back. */
  clear(): void {
    this.#room?.giveBack();
    this.#room = undefined;
    this.#count = 0;
    this.#line = 0;
    this.#prefix = undefined;
  }

  /** Makes the prefix one that a key has, too. */
  #shorten(bytes: Uint8Array, start: number, end: number): void {
    const prefix = this.#prefix;
    if (prefix === undefined) {
      this.#prefix = Uint8Array.prototype.slice.call(bytes, start, Math.min(end, start + maxPrefixBytes));
      this.#shared = this.#prefix.length;
      return;
    }
    const most = Math.min(this.#shared, end - start);
    let shared = 0;
    while (shared < most && bytes[start + shared] === prefix[shared]) shared++;
    if (shared === this.#shared) return;
    this.#shared = shared;
    this.#digestAgain();
  }

  /** Behind a shorter prefix, which those before the last one have too. */
  #digestAgain(): void {
    const room = this.#room;
    if (room === undefined) return;
    for (let i = 0; i < this.#count - 1; i++) {
      room.high[i] = this.#nodes.digest(room.ids[i], this.#shared);
      room.low[i] = this.#nodes.digest(room.ids[i], this.#shared + digestBytes);
    }
  }

  #largerRoom(): SortRoom {
    const old = this.#room;
    const room = new SortRoom(
      this.#nodes.memory,
      old === undefined ? leastRoom : Math.min(mostNoted, old.capacity * 8),
    );
    if (old !== undefined) {
      room.ids.set(old.ids);
      room.high.set(old.high);
      room.low.set(old.low);
      old.giveBack();
    }
    this.#room = room;
    return room;
  }
}

/** So many are sorted within about a millisecond. */
const mostNoted = 8_192;
const leastRoom = 128;
/** Longer ones are not worth a copy: then digests tie, and keys themselves are compared. */
const maxPrefixBytes = 256;
