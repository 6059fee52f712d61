import { type Arena, addressStep, offsetOf } from './arena.js';
import type { MemtableMemory } from './memtable-memory.js';
import type { WantedKey } from './wanted-key.js';

/**
 * The nodes of a memtable: for each key a record in the arena, whose address is the node's id, with the key right behind
 * it. A lookup mostly costs what it costs to get at memory that was not touched for a while, so it is one place.
 *
 *   0               4              8            12           16         24
 *   | value address | value length | key length | is deleted | sequence | key …
 *     i32             i32            i32          i32          f64
 *
 * Hot: benches `engine-write`, `server`.
 */
export class NodeTable {
  readonly #arena: Arena;

  constructor(arena: Arena) {
    this.#arena = arena;
  }

  /** Where who orders the nodes gets room for it. */
  get memory(): MemtableMemory {
    return this.#arena.memory;
  }

  /** A new node with a copy of a key, without a value. */
  add(bytes: Uint8Array, start: number, end: number): number {
    const node = this.#arena.allocate(recordBytes + end - start);
    this.#arena.write(node + recordSteps, bytes, start, end);
    const words = this.#arena.wordsOf(node);
    const at = wordOf(node);
    words[at + word.valueAddress] = noAddress;
    words[at + word.valueLength] = 0;
    words[at + word.keyLength] = end - start;
    words[at + word.isDeleted] = 0;
    return node;
  }

  /** Frees the key; the value must have been taken away. */
  remove(node: number): void {
    this.#arena.release(node, recordBytes + this.keyLengthOf(node));
  }

  keyAddressOf(node: number): number {
    return node + recordSteps;
  }

  keyLengthOf(node: number): number {
    return this.#field(node, word.keyLength);
  }

  /** `noAddress` when it has no value. */
  valueAddressOf(node: number): number {
    return this.#field(node, word.valueAddress);
  }

  valueLengthOf(node: number): number {
    return this.#field(node, word.valueLength);
  }

  isDeleted(node: number): boolean {
    return this.#field(node, word.isDeleted) !== 0;
  }

  sequenceOf(node: number): number {
    return this.#arena.doublesOf(node)[(offsetOf(node) >>> 3) + sequenceDouble];
  }

  setValue(node: number, address: number, length: number): void {
    const words = this.#arena.wordsOf(node);
    const at = wordOf(node);
    words[at + word.valueAddress] = address;
    words[at + word.valueLength] = length;
  }

  /** When the node got its present state, and whether that is a deletion. */
  setState(node: number, sequence: number, isDeleted: boolean): void {
    this.#arena.wordsOf(node)[wordOf(node) + word.isDeleted] = isDeleted ? 1 : 0;
    this.#arena.doublesOf(node)[(offsetOf(node) >>> 3) + sequenceDouble] = sequence;
  }

  /**
   * Gets some nodes and their values into the processor's caches. In key order each lies anywhere: who reads them one by one
   * waits for memory each time, whereas loads that do not depend on each other, as here, are waited for together.
   */
  fetch(nodes: Int32Array, from: number, to: number): void {
    let seen = 0;
    for (let i = from; i < to; i++) seen ^= this.#field(nodes[i], word.valueAddress);
    for (let i = from; i < to; i++) {
      const address = this.valueAddressOf(nodes[i]);
      if (address === noAddress) continue;
      const words = this.#arena.wordsOf(address);
      const at = offsetOf(address) >>> 2;
      const end = at + Math.min(this.valueLengthOf(nodes[i]), mostFetched) / 4;
      for (let line = at; line < end; line += wordsPerLine) seen ^= words[line];
    }
    fetchedWord[0] = seen;
  }

  // What follows compares keys.

  /** True when the node has this key. */
  hasKey(node: number, bytes: Uint8Array, start: number, end: number): boolean {
    const length = end - start;
    if (this.#field(node, word.keyLength) !== length) return false;
    const chunk = this.#arena.chunkOf(node);
    const offset = offsetOf(node) + recordBytes;
    let i = 0;
    while (i < length && chunk[offset + i] === bytes[start + i]) i++;
    return i === length;
  }

  /** Borrowed until the node is removed. */
  keyOf(node: number): Buffer {
    const start = offsetOf(node) + recordBytes;
    return this.#arena.chunkOf(node).subarray(start, start + this.keyLengthOf(node));
  }

  /** Where a node's key lies; nothing of it is known yet. */
  readKey(node: number, into: WantedKey): void {
    into.bytes = this.#arena.chunkOf(node);
    into.start = offsetOf(node) + recordBytes;
    into.end = into.start + this.keyLengthOf(node);
    into.shared = 0;
  }

  /** Orders a key against that of a node, of which the first `from` bytes are known to be the same. */
  compare(bytes: Uint8Array, start: number, end: number, node: number, from: number): number {
    const chunk = this.#arena.chunkOf(node);
    const offset = offsetOf(node) + recordBytes;
    const length = end - start;
    const other = this.keyLengthOf(node);
    const shared = Math.min(length, other);
    for (let i = from; i < shared; i++) {
      const difference = bytes[start + i] - chunk[offset + i];
      if (difference !== 0) return difference;
    }
    return length - other;
  }

  /** Orders the keys of two nodes. */
  compareNodes(node: number, other: number): number {
    const start = offsetOf(node) + recordBytes;
    return this.compare(this.#arena.chunkOf(node), start, start + this.keyLengthOf(node), other, 0);
  }

  /** How many first bytes a node's key has in common with a byte string. */
  sharedBytes(node: number, bytes: Uint8Array): number {
    const chunk = this.#arena.chunkOf(node);
    const offset = offsetOf(node) + recordBytes;
    const length = Math.min(bytes.length, this.keyLengthOf(node));
    let shared = 0;
    while (shared < length && chunk[offset + shared] === bytes[shared]) shared++;
    return shared;
  }

  /** The digest of a node's key from a byte on. */
  digest(node: number, from: number): number {
    const start = offsetOf(node) + recordBytes;
    return digestOf(this.#arena.chunkOf(node), start + from, start + this.keyLengthOf(node));
  }

  #field(node: number, field: number): number {
    return this.#arena.wordsOf(node)[wordOf(node) + field];
  }
}

/** Four bytes of a key as a number, zeros for those behind its end: keys whose numbers differ are ordered as these are. */
export const digestOf = (bytes: Uint8Array, at: number, end: number): number => {
  // Signed, as such numbers need no memory of their own; the top bit is turned to keep the order.
  if (at + 4 <= end)
    return ((bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3]) ^ topBit;
  let digest = 0;
  for (let i = at; i < at + 4; i++) digest = (digest << 8) | (i < end ? bytes[i] : 0);
  return digest ^ topBit;
};

/** Where a node has no value. */
export const noAddress = -1;

/** Place of a record in the words of its chunk. */
const wordOf = (node: number): number => offsetOf(node) >>> 2;

/** Places in a record, counted in words of 4 bytes. */
const word = { valueAddress: 0, valueLength: 1, keyLength: 2, isDeleted: 3 } as const;
const sequenceDouble = 2;
/** Of a value that is longer the processor itself fetches the rest in time. */
const mostFetched = 256;
const wordsPerLine = 16;
/** Takes what was read only to be fetched, or the compiler would not read it. */
const fetchedWord = new Int32Array(1);
const recordBytes = 24;
const recordSteps = recordBytes / addressStep;
const topBit = 1 << 31;
