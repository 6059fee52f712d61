import type { MemtableMemory } from './memtable-memory.js';
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
  readonly #memory: MemtableMemory;
  #slots: Int32Array;
  #count = 0;

  /** @param expected how many nodes will probably be in it: growing takes as long as adding all of them anew */
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

  /** Forgets all nodes and gives the table back. */
  clear(): void {
    this.#give(this.#slots);
    this.#slots = noSlots;
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
    this.#slots = this.#memory.takeTable(Math.max(firstSlots, old.length) * 2);
    for (let at = 0; at < old.length; at += 2) if (old[at + 1] !== 0) this.#claim(old[at], old[at + 1] - 1);
    this.#give(old);
  }

  #give(slots: Int32Array): void {
    if (slots !== noSlots) this.#memory.giveTable(slots);
  }
}

/** One empty slot, which is more than full with one node: for tables that nothing is put in, as are most. */
const noSlots = new Int32Array(2);
/** A power of two. At two thirds full the table doubles. */
const firstSlots = 512;
