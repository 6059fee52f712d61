import type { Arena } from './arena.js';
import type { NodeTable } from './node-table.js';
import type { OpenSnapshots } from './open-snapshots.js';

/** An older value of a key that an open snapshot may still read. */
export interface OlderVersion {
  readonly sequence: number;
  readonly isDeleted: boolean;
  readonly address: number;
  readonly length: number;
}

/**
 * The older versions of the nodes that have any: those that an open snapshot sees, and for a while some that none sees
 * any more.
 */
export class OlderVersions {
  readonly #nodes: NodeTable;
  readonly #arena: Arena;
  readonly #snapshots: OpenSnapshots;
  /** Newest first. */
  readonly #byNode = new Map<number, OlderVersion[]>();
  #count = 0;
  /** How many the last look at all of them left. */
  #left = 0;

  constructor(nodes: NodeTable, arena: Arena, snapshots: OpenSnapshots) {
    this.#nodes = nodes;
    this.#arena = arena;
    this.#snapshots = snapshots;
  }

  has(node: number): boolean {
    return this.#byNode.has(node);
  }

  /** What a reader at `sequence`, which does not see the newest version, sees. */
  at(node: number, sequence: number): OlderVersion | undefined {
    return this.#byNode.get(node)?.find((version) => version.sequence <= sequence);
  }

  /** Before a node gets a new version: takes the present value, if an open snapshot sees it. False = none does. */
  keep(node: number): boolean {
    const nodes = this.#nodes;
    const sequence = nodes.sequenceOf(node);
    if (!this.#snapshots.isAnyIn(sequence, Number.POSITIVE_INFINITY)) return false;
    const version = {
      sequence,
      isDeleted: nodes.isDeleted(node),
      address: nodes.valueAddressOf(node),
      length: nodes.valueLengthOf(node),
    };
    const versions = this.#byNode.get(node);
    if (versions === undefined) this.#byNode.set(node, [version]);
    else versions.unshift(version);
    this.#count++;
    return true;
  }

  /** False while a look at all of them would take longer than what has come since the last one is worth. */
  get isWorthPruning(): boolean {
    return this.#count > (this.#snapshots.size === 0 ? 0 : 2 * this.#left + fewVersions);
  }

  /** Drops those that no open snapshot sees any more, some at a time. */
  *pruning(): Generator<undefined, void> {
    let nodesLeft = this.#byNode.size; // and no more: others come meanwhile
    for (const [node, versions] of this.#byNode) {
      if (nodesLeft-- === 0) break;
      this.#prune(node, versions);
      if (nodesLeft % nodesPerStep === 0) yield;
    }
    this.#left = this.#count;
  }

  clear(): void {
    this.#byNode.clear();
    this.#count = 0;
    this.#left = 0;
  }

  #prune(node: number, versions: OlderVersion[]): void {
    let newer = this.#nodes.sequenceOf(node);
    let kept = 0;
    for (const version of versions) {
      if (this.#snapshots.isAnyIn(version.sequence, newer)) versions[kept++] = version;
      else if (!version.isDeleted) this.#arena.release(version.address, version.length);
      newer = version.sequence;
    }
    this.#count -= versions.length - kept;
    versions.length = kept;
    if (kept === 0) this.#byNode.delete(node);
  }
}

/** So few are looked at whenever a snapshot is closed. */
const fewVersions = 1_000;
const nodesPerStep = 64;
