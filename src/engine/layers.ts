import type { ValuePlace } from './engine-api.js';
import { hashKey } from './key-hash.js';
import type { MemtableGroup } from './memtable/index.js';
import { emptyRoot, type TreeRoot, type TreeState, type TreeStore } from './tree/index.js';

/**
 * All that a reader looks through, the newest first: the memtables that are not flushed, then the trees. Never
 * changed: freezing a memtable and finishing a flush make a new one, with the same data in it.
 */
export class Layers {
  /** The newest first. */
  readonly groups: readonly MemtableGroup[];
  readonly trees: TreeStore | undefined;
  readonly state: TreeState | undefined;
  readonly #frozenBytes: number;

  constructor(groups: readonly MemtableGroup[], trees?: TreeStore, state?: TreeState) {
    this.groups = groups;
    this.trees = trees;
    this.state = state;
    this.#frozenBytes = groups.reduce((total, group) => total + (group.isFrozen ? group.usedBytes : 0), 0);
  }

  /** Bytes of data in the memtables. */
  get usedBytes(): number {
    const [newest] = this.groups;
    return this.#frozenBytes + (newest === undefined || newest.isFrozen ? 0 : newest.usedBytes);
  }

  /** What a reader at `sequence` finds for a key. Borrowed until the next write. */
  get(columnFamily: number, key: Uint8Array, sequence: number): Buffer | undefined {
    const hash = hashKey(key, 0, key.length);
    for (const group of this.groups) {
      const found = group.tables[columnFamily].find(key, hash, sequence);
      if (found === 'deleted') return undefined;
      if (found !== undefined) return found;
    }
    const root = this.rootOf(columnFamily);
    return root.unit === 0 ? undefined : this.trees?.get(root, key, hash);
  }

  /** As `get`, but tells where the value lies, borrowed until the next read or write; false = none. Hot: bench `server`. */
  locate(columnFamily: number, key: Uint8Array, sequence: number, place: ValuePlace): boolean {
    const hash = hashKey(key, 0, key.length);
    for (const group of this.groups) {
      const found = group.tables[columnFamily].findPlace(key, hash, sequence, place);
      if (found !== undefined) return found;
    }
    const root = this.rootOf(columnFamily);
    return root.unit !== 0 && this.trees?.locate(root, key, hash, place) === true;
  }

  rootOf(columnFamily: number): TreeRoot {
    return this.state?.roots[columnFamily] ?? emptyRoot;
  }
}
