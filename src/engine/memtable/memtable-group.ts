import { columnFamilyNames } from '../column-family.js';
import { runInSlices } from '../run-in-slices.js';
import type { Changes } from '../tree/index.js';
import { JoinedChanges } from './joined-changes.js';
import { Memtable } from './memtable.js';
import { MemtableChanges } from './memtable-changes.js';
import type { MemtableMemory } from './memtable-memory.js';
import { OpenSnapshots } from './open-snapshots.js';

/**
 * The memtables of all column families from one freeze to the next, and the snapshots taken meanwhile. Writes go to
 * the newest group; a frozen one waits to be flushed, and lives on for as long as a snapshot reads it. Then the memory
 * of its tables goes to those that are filled next.
 */
export class MemtableGroup {
  /** By column family id. */
  readonly tables: readonly Memtable[];
  readonly #snapshots = new OpenSnapshots();
  #isPruning = false;
  #lastSequence = -1;
  /** Snapshots that look through it, newer ones included; the store itself is one until all is flushed. */
  #readers = 1;

  /**
   * @param hidesOlder whether data lies below: deletions must then be kept
   * @param previous the group before: this one will be used as it was, as far as is known
   */
  constructor(hidesOlder: boolean, memory?: MemtableMemory, previous?: MemtableGroup) {
    this.tables = columnFamilyNames.map(
      (_, id) => new Memtable(this.#snapshots, hidesOlder, memory, previous?.tables[id]),
    );
  }

  /** Last sequence number in it, once it is frozen. */
  get lastSequence(): number {
    return this.#lastSequence;
  }

  get isFrozen(): boolean {
    return this.#lastSequence >= 0;
  }

  get isEmpty(): boolean {
    return this.tables.every((table) => table.isEmpty);
  }

  /** Bytes that the data takes. */
  get usedBytes(): number {
    let total = 0;
    for (const table of this.tables) total += table.usedBytes;
    return total;
  }

  /** Bytes of memory. */
  get byteLength(): number {
    return this.tables.reduce((total, table) => total + table.byteLength, 0);
  }

  get openSnapshots(): number {
    return this.#snapshots.count;
  }

  freeze(lastSequence: number): void {
    this.#lastSequence = lastSequence;
    for (const table of this.tables) table.freeze();
  }

  /** One more looks through it, until `release`. */
  retain(): void {
    this.#readers++;
  }

  /** One less; the last one lets the tables go. */
  release(): void {
    if (--this.#readers > 0) return;
    for (const table of this.tables) table.letGo();
  }

  /** Keeps what a reader at `sequence` sees until `releaseSnapshot`. */
  addSnapshot(sequence: number): void {
    this.#snapshots.add(sequence);
  }

  releaseSnapshot(sequence: number): void {
    if (this.#snapshots.release(sequence) && !this.#isPruning) void this.#prune();
  }

  /** Drops what no snapshot sees any more. That can be all that was overwritten while one was open: others have their turns. */
  async #prune(): Promise<void> {
    this.#isPruning = true;
    for (let table = this.#tableToPrune; table !== undefined; table = this.#tableToPrune)
      await runInSlices(table.pruning(), () => pruningMs);
    this.#isPruning = false;
  }

  get #tableToPrune(): Memtable | undefined {
    return this.tables.find(({ isWorthPruning }) => isWorthPruning);
  }

  /** Brings all keys in order, which `changes` otherwise does at once: in steps of about a millisecond. */
  *settling(): Generator<undefined, void> {
    for (const table of this.tables) yield* table.settling();
  }
}

/** What groups that follow each other change in the trees. */
export interface GroupChanges {
  readonly byFamily: readonly Changes[];
  /** Which part of it whoever merges it has passed: 0 to 1. */
  progress(): number;
}

/** @param groups the newest first */
export const changesOf = (groups: readonly MemtableGroup[]): GroupChanges => {
  const all: MemtableChanges[] = [];
  const byFamily = columnFamilyNames.map((_, id) => {
    const [oldest, ...newer] = groups.map(({ tables }) => new MemtableChanges(tables[id])).reverse();
    all.push(oldest, ...newer);
    return newer.reduce<Changes>((older, changes) => new JoinedChanges(changes, older), oldest);
  });
  const count = all.reduce((total, changes) => total + changes.count, 0);
  const progress = (): number => {
    const passed = all.reduce((total, changes) => total + changes.passed, 0);
    return passed >= count ? 1 : passed / count;
  };
  return { byFamily, progress };
};

/** How long dropping versions keeps others waiting at a time. */
const pruningMs = 0.5;
