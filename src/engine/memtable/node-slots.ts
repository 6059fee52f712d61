import type { MemtableMemory } from './memtable-memory.js';
import type { NodeTable } from './node-table.js';

/**
 * Finds nodes by the hash of their key: a table of hash and id, side by side, so that a node itself is looked at only
 * when the hash is the same.
 *
 *   slot := hash i32 · id + 1 i32       id + 1 = 0: empty
 *
 * Linear probing; a removal shifts followers back. A table that is full goes over into a larger one some slots at a time,
 * whenever a node is added: all at once would hold up a writer for many milliseconds. What is still in the old one is
 * found there. Hot: benches `engine-write`, `server`.
 */
export class NodeSlots {
  readonly #nodes: NodeTable;
  readonly #memory: MemtableMemory;
  #slots: Int32Array;
  /** The table before, while not all of it has been moved: those before `#moved` have been, and stay to be probed over. */
  #old: Int32Array = noSlots;
  #moved = 0;
  #count = 0;

  /** @param expected how many nodes will probably be in it: growing takes, in all, as long as adding all of them anew */
  constructor(nodes: NodeTable, memory: MemtableMemory, expected = 0) {
    this.#nodes = nodes;
    this.#memory = memory;
    this.#slots = noSlots;
    if (expected === 0) return;
    let slots = firstSlots;
    while (slots * 2 < expected * 3) slots *= 2;
    this.#slots = memory.takeTable(slots * 2);
  }

  get count(): number {
    return this.#count;
  }

  get byteLength(): number {
    return this.#slots.byteLength + this.#old.byteLength;
  }

  /** The node of a key; -1 when there is none. */
  find(hash: number, bytes: Uint8Array, start: number, end: number): number {
    const found = this.#findIn(this.#slots, hash, bytes, start, end);
    return found >= 0 || this.#old === noSlots ? found : this.#findIn(this.#old, hash, bytes, start, end);
  }

  /** Adds a node that is not in the table. */
  add(hash: number, node: number): void {
    if (++this.#count * 3 > this.#slots.length) this.#grow();
    if (this.#old !== noSlots) this.#move(movedTogether);
    this.#claim(hash, node);
  }

  remove(hash: number, node: number): void {
    this.#move(this.#old.length);
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

  /** Forgets all nodes and gives the table back. */
  clear(): void {
    this.#give(this.#slots);
    this.#give(this.#old);
    this.#slots = noSlots;
    this.#old = noSlots;
    this.#count = 0;
  }

  #findIn(slots: Int32Array, hash: number, bytes: Uint8Array, start: number, end: number): number {
    const mask = slots.length - 1;
    for (let at = (hash << 1) & mask; ; at = (at + 2) & mask) {
      const node = slots[at + 1] - 1;
      if (node < 0) return -1;
      if (slots[at] === hash && this.#nodes.hasKey(node, bytes, start, end)) return node;
    }
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
    this.#move(this.#old.length);
    this.#old = this.#slots;
    this.#moved = 0;
    this.#slots = this.#memory.takeTable(Math.max(firstSlots, this.#old.length) * 2);
  }

  /** Moves what so many words of the old table hold. */
  #move(words: number): void {
    const old = this.#old;
    const end = Math.min(old.length, this.#moved + words);
    for (let at = this.#moved; at < end; at += 2)
      if (old[at + 1] !== 0) this.#claim(old[at], old[at + 1] - 1);
    this.#moved = end;
    if (end < old.length) return;
    this.#give(old);
    this.#old = noSlots;
  }

  #give(slots: Int32Array): void {
    if (slots !== noSlots) this.#memory.giveTable(slots);
  }
}

/** One empty slot, which is more than full with one node: for tables that nothing is put in, as are most. */
const noSlots = new Int32Array(2);
/** A power of two. At two thirds full the table doubles. */
const firstSlots = 512;
/** Words of the old table for each node that is added: it is empty long before the new one is full. */
const movedTogether = 16;
