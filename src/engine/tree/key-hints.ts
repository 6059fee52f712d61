/**
 * Where keys were found last: a small hash table in front of the trees, so that a key that is read over and over is
 * found without going down its tree. A hint says which entry of which frame of the page cache it was, and which page
 * was in that frame; whoever follows it looks whether that page is still there, and whether the entry has the key.
 *
 *   slot := tag, 20 bits · place in the page, 12 bits | unit of the tree's root | unit of the leaf | frame     Int32 each
 *
 * A tree is never changed, so a hint stays right for as long as its root is one that can be read. Units of roots are
 * used again: `clear` before one is. Two slots for each hash; what is new takes the place of either.
 * Hot: bench `engine-store`.
 */
export class KeyHints {
  /** After `find`: the leaf, the frame where it was, and the place of the entry in it. */
  unit = 0;
  frame = 0;
  place = 0;
  /** Made with the first hint: a store that is only written to needs no memory for hints. */
  #slots = new Int32Array(0);
  readonly #mask: number;
  #turn = 0;

  /** @param cacheBytes size of the page cache; hints take a small part of it on top */
  constructor(cacheBytes: number) {
    this.#mask = 2 ** Math.floor(Math.log2(Math.max(minBytes, cacheBytes) / bytesPerPair)) - 1;
  }

  get byteLength(): number {
    return this.#slots.byteLength;
  }

  /** Finds the hint for a hash in the tree with this root; false when there is none. */
  find(root: number, hash: number): boolean {
    const slots = this.#slots;
    if (slots.length === 0) return false;
    let at = this.#slotOf(hash);
    if (((slots[at] ^ hash) & tagMask) !== 0 || slots[at + 1] !== (root | 0)) {
      at += slotWords;
      if (((slots[at] ^ hash) & tagMask) !== 0 || slots[at + 1] !== (root | 0)) return false;
    }
    this.place = slots[at] & placeMask;
    this.unit = slots[at + 2] >>> 0;
    this.frame = slots[at + 3];
    return true;
  }

  /** Notes where the key with this hash is. */
  note(root: number, hash: number, unit: number, frame: number, place: number): void {
    if (this.#slots.length === 0) this.#slots = new Int32Array((this.#mask + 1) * 2 * slotWords);
    const slots = this.#slots;
    let at = this.#slotOf(hash);
    const isFirst = ((slots[at] ^ hash) & tagMask) === 0 || slots[at + 1] === 0;
    const second = at + slotWords;
    // Neither the same key's nor an empty one: in turn, so that of too many keys in a circle some stay.
    if (
      !isFirst &&
      (((slots[second] ^ hash) & tagMask) === 0 || slots[second + 1] === 0 || (++this.#turn & 1) === 0)
    )
      at = second;
    slots[at] = (hash & tagMask) | place;
    slots[at + 1] = root;
    slots[at + 2] = unit;
    slots[at + 3] = frame;
  }

  clear(): void {
    this.#slots.fill(0);
  }

  /** The first of the two slots for a hash. */
  #slotOf(hash: number): number {
    // The last bits of a hash are those of the key: of many keys they may be the same.
    return ((hash ^ (hash >>> 13)) & this.#mask) * 2 * slotWords;
  }
}

const slotWords = 4;
const placeMask = 0xfff;
const tagMask = ~placeMask;
/** Two slots, 32 bytes, for so many bytes of the page cache. */
const bytesPerPair = 2048;
const minBytes = 1024 * 1024;
