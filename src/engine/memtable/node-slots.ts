import type { NodeTable } from './node-table.js';

/**
 * Finds nodes by the hash of their key: a table of hash and id, side by side, so that a node itself is looked at only
 * when the hash is the same.
 *
 *   slot := hash i32 · id + 1 i32       id + 1 = 0: empty
 *
 * Linear probing; a removal shifts followers back. Hot: benches `engine-write`, `server`.
 */
export class NodeSlots {
  readonly #nodes: NodeTable;
  #slots = new Int32Array(firstSlots * 2);
  #count = 0;

  constructor(nodes: NodeTable) {
    this.#nodes = nodes;
  }

  get count(): number {
    return this.#count;
  }

  get byteLength(): number {
    return this.#slots.byteLength;
  }

  /** The node of a key; -1 when there is none. */
  find(hash: number, bytes: Uint8Array, start: number, end: number): number {
    const slots = this.#slots;
    const mask = slots.length - 1;
    for (let at = (hash << 1) & mask; ; at = (at + 2) & mask) {
      const node = slots[at + 1] - 1;
      if (node < 0) return -1;
      if (slots[at] === hash && this.#nodes.hasKey(node, bytes, start, end)) return node;
    }
  }

  /** Adds a node that is not in the table. */
  add(hash: number, node: number): void {
    if (++this.#count * 3 > this.#slots.length) this.#grow();
    this.#claim(hash, node);
  }

  remove(hash: number, node: number): void {
    const slots = this.#slots;
    const mask = slots.length - 1;
    let hole = (hash << 1) & mask;
    while (slots[hole + 1] !== node + 1) hole = (hole + 2) & mask;
    // Entries behind the hole move up unless that would put them before their home slot.
    for (let at = (hole + 2) & mask; slots[at + 1] !== 0; at = (at + 2) & mask) {
      const home = (slots[at] << 1) & mask;
      if (((at - home) & mask) >= ((at - hole) & mask)) {
        slots[hole] = slots[at];
        slots[hole + 1] = slots[at + 1];
        hole = at;
      }
    }
    slots[hole + 1] = 0;
    this.#count--;
  }

  clear(): void {
    this.#slots = new Int32Array(firstSlots * 2);
    this.#count = 0;
  }

  #claim(hash: number, node: number): void {
    const slots = this.#slots;
    const mask = slots.length - 1;
    let at = (hash << 1) & mask;
    while (slots[at + 1] !== 0) at = (at + 2) & mask;
    slots[at] = hash;
    slots[at + 1] = node + 1;
  }

  #grow(): void {
    const old = this.#slots;
    this.#slots = new Int32Array(old.length * 2);
    for (let at = 0; at < old.length; at += 2) if (old[at + 1] !== 0) this.#claim(old[at], old[at + 1] - 1);
  }
}

/**
 * Spreads keys that differ in any byte, except that the last three bits of a key are those of its hash: keys that
 * follow each other, as the elements of a list do, lie in one line of memory. Signed, as such numbers need no memory
 * of their own.
 */
export const hashKey = (bytes: Uint8Array, start: number, end: number): number => {
  let hash = 0x811c9dc5 ^ (end - start);
  if (start === end) return hash;
  const last = bytes[end - 1];
  let i = start;
  for (const lastWord = end - 4; i < lastWord; i += 4) {
    const word = bytes[i] | (bytes[i + 1] << 8) | (bytes[i + 2] << 16) | (bytes[i + 3] << 24);
    hash = Math.imul(hash ^ word, 0x9e3779b1);
    hash ^= hash >>> 15;
  }
  for (; i < end - 1; i++) hash = Math.imul(hash ^ bytes[i], 0x01000193);
  hash = Math.imul(hash ^ (last >>> 3) ^ (hash >>> 13), 0x85ebca6b);
  return ((hash ^ (hash >>> 16)) & ~7) | (last & 7);
};

/** A power of two. At two thirds full the table doubles. */
const firstSlots = 512;
