import { type Arena, offsetOf } from './arena.js';
import type { WantedKey } from './wanted-key.js';

/**
 * The nodes of a memtable by their ids: small numbers, given again when a node is gone. Keys and values lie in an
 * arena. A node's record is within one cache line, for each access to another one is what a lookup mostly costs:
 *
 *   0             4            8               12             16           20       24         32
 *   | key address | key length | value address | value length | is deleted | unused | sequence |
 *     i32           i32          i32             i32            i32                   f64
 *
 * Hot: benches `engine-write`, `server`.
 */
export class NodeTable {
  readonly #arena: Arena;
  #words = new Int32Array(firstCapacity * recordWords);
  /** The same memory. */
  #doubles = new Float64Array(this.#words.buffer);
  /** One more than the highest id that was ever given. */
  #end = 0;
  readonly #spare: number[] = [];

  constructor(arena: Arena) {
    this.#arena = arena;
  }

  get byteLength(): number {
    return this.#words.byteLength;
  }

  /** A new node with a copy of a key, without a value. */
  add(bytes: Uint8Array, start: number, end: number): number {
    const node = this.#spare.pop() ?? this.#end++;
    if (node * recordWords >= this.#words.length) this.#grow();
    const address = this.#arena.allocate(end - start);
    this.#arena.write(address, bytes, start, end);
    const at = node * recordWords;
    const words = this.#words;
    words[at + word.keyAddress] = address;
    words[at + word.keyLength] = end - start;
    words[at + word.valueAddress] = noAddress;
    words[at + word.valueLength] = 0;
    words[at + word.isDeleted] = 0;
    return node;
  }

  /** Frees the key; the value must have been taken away. */
  remove(node: number): void {
    this.#arena.release(this.#field(node, word.keyAddress), this.#field(node, word.keyLength));
    this.#spare.push(node);
  }

  clear(): void {
    this.#end = 0;
    this.#spare.length = 0;
  }

  keyAddressOf(node: number): number {
    return this.#field(node, word.keyAddress);
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
    return this.#doubles[node * recordDoubles + sequenceDouble];
  }

  setValue(node: number, address: number, length: number): void {
    const at = node * recordWords;
    this.#words[at + word.valueAddress] = address;
    this.#words[at + word.valueLength] = length;
  }

  /** When the node got its present state, and whether that is a deletion. */
  setState(node: number, sequence: number, isDeleted: boolean): void {
    this.#words[node * recordWords + word.isDeleted] = isDeleted ? 1 : 0;
    this.#doubles[node * recordDoubles + sequenceDouble] = sequence;
  }

  // What follows compares keys.

  /** True when the node has this key. */
  hasKey(node: number, bytes: Uint8Array, start: number, end: number): boolean {
    const at = node * recordWords;
    const words = this.#words;
    const length = end - start;
    if (words[at + word.keyLength] !== length) return false;
    const address = words[at + word.keyAddress];
    const chunk = this.#arena.chunkOf(address);
    const offset = offsetOf(address);
    let i = 0;
    while (i < length && chunk[offset + i] === bytes[start + i]) i++;
    return i === length;
  }

  /** Borrowed until the node is removed. */
  keyOf(node: number): Buffer {
    return this.#arena.view(this.#field(node, word.keyAddress), this.#field(node, word.keyLength));
  }

  /** Orders a key against that of a node, of which the first `from` bytes are known to be the same. */
  compare(bytes: Uint8Array, start: number, end: number, node: number, from: number): number {
    const address = this.#field(node, word.keyAddress);
    const chunk = this.#arena.chunkOf(address);
    const offset = offsetOf(address);
    const length = end - start;
    const other = this.#field(node, word.keyLength);
    const shared = Math.min(length, other);
    for (let i = from; i < shared; i++) {
      const difference = bytes[start + i] - chunk[offset + i];
      if (difference !== 0) return difference;
    }
    return length - other;
  }

  /** Orders the keys of two nodes. */
  compareNodes(node: number, other: number): number {
    const address = this.#field(node, word.keyAddress);
    const start = offsetOf(address);
    const end = start + this.#field(node, word.keyLength);
    return this.compare(this.#arena.chunkOf(address), start, end, other, 0);
  }

  /** Where a node's key lies; nothing of it is known yet. */
  readKey(node: number, into: WantedKey): void {
    const address = this.#field(node, word.keyAddress);
    into.bytes = this.#arena.chunkOf(address);
    into.start = offsetOf(address);
    into.end = into.start + this.#field(node, word.keyLength);
    into.shared = 0;
  }

  /** How many first bytes a node's key has in common with a byte string. */
  sharedBytes(node: number, bytes: Uint8Array): number {
    const address = this.#field(node, word.keyAddress);
    const chunk = this.#arena.chunkOf(address);
    const offset = offsetOf(address);
    const length = Math.min(bytes.length, this.#field(node, word.keyLength));
    let shared = 0;
    while (shared < length && chunk[offset + shared] === bytes[shared]) shared++;
    return shared;
  }

  /** The digest of a node's key from a byte on. */
  digest(node: number, from: number): number {
    const address = this.#field(node, word.keyAddress);
    const offset = offsetOf(address);
    return digestOf(this.#arena.chunkOf(address), offset + from, offset + this.#field(node, word.keyLength));
  }

  #field(node: number, field: number): number {
    return this.#words[node * recordWords + field];
  }

  #grow(): void {
    const words = new Int32Array(this.#words.length * 2);
    words.set(this.#words);
    this.#words = words;
    this.#doubles = new Float64Array(words.buffer);
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

/** Places in a record, counted in words of 4 bytes. */
const word = { keyAddress: 0, keyLength: 1, valueAddress: 2, valueLength: 3, isDeleted: 4 } as const;
export const recordBytes = 32;
const recordWords = recordBytes / 4;
const recordDoubles = recordBytes / 8;
const sequenceDouble = 3;
const firstCapacity = 512;
const topBit = 1 << 31;
