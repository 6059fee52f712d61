import { type Arena, offsetOf } from './arena.js';
import type { NodeTable } from './node-table.js';
import type { OlderVersions } from './older-versions.js';

/** What a memtable knows of a key: its value, that it is deleted whatever older layers hold, or nothing. */
export type Found = Buffer | 'deleted' | undefined;

/** Where the parts of a node lie; one view serves many nodes. */
export interface NodeView {
  keyBytes: Buffer;
  keyStart: number;
  keyEnd: number;
  isDeleted: boolean;
  valueBytes: Buffer;
  valueStart: number;
  valueEnd: number;
}

/** Reads the nodes of a memtable as somebody at a sequence sees them. All that is told is borrowed until the next write. */
export class NodeReader {
  readonly #arena: Arena;
  readonly #nodes: NodeTable;
  readonly #older: OlderVersions;

  constructor(arena: Arena, nodes: NodeTable, older: OlderVersions) {
    this.#arena = arena;
    this.#nodes = nodes;
    this.#older = older;
  }

  keyOf(node: number): Buffer {
    return this.#nodes.keyOf(node);
  }

  valueAt(node: number, sequence: number): Found {
    if (this.#nodes.sequenceOf(node) <= sequence)
      return this.#nodes.isDeleted(node)
        ? 'deleted'
        : this.#arena.view(this.#nodes.valueAddressOf(node), this.#nodes.valueLengthOf(node));
    const version = this.#older.at(node, sequence);
    if (version === undefined) return undefined;
    return version.isDeleted ? 'deleted' : this.#arena.view(version.address, version.length);
  }

  /** Gets some nodes and their values into the processor's caches, for who reads them one by one right after. */
  fetch(nodes: Int32Array, from: number, to: number): void {
    this.#nodes.fetch(nodes, from, to);
  }

  /** Where the newest state of a node lies. */
  readNewest(node: number, into: NodeView): void {
    const nodes = this.#nodes;
    this.#readKey(node, into);
    into.isDeleted = nodes.isDeleted(node);
    if (!into.isDeleted) this.#readValue(nodes.valueAddressOf(node), nodes.valueLengthOf(node), into);
  }

  /** Where lies what a reader at `sequence` sees of a node; false when that is nothing. */
  readAt(node: number, sequence: number, into: NodeView): boolean {
    if (this.#nodes.sequenceOf(node) <= sequence) {
      this.readNewest(node, into);
      return true;
    }
    const version = this.#older.at(node, sequence);
    if (version === undefined) return false;
    this.#readKey(node, into);
    into.isDeleted = version.isDeleted;
    if (!version.isDeleted) this.#readValue(version.address, version.length, into);
    return true;
  }

  #readKey(node: number, into: NodeView): void {
    const address = this.#nodes.keyAddressOf(node);
    into.keyBytes = this.#arena.chunkOf(address);
    into.keyStart = offsetOf(address);
    into.keyEnd = into.keyStart + this.#nodes.keyLengthOf(node);
  }

  #readValue(address: number, length: number, into: NodeView): void {
    into.valueBytes = this.#arena.chunkOf(address);
    into.valueStart = offsetOf(address);
    into.valueEnd = into.valueStart + length;
  }
}
