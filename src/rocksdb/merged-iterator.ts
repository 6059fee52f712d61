import { compareBytes } from '../bytes/index.js';
import { type DataItem, type DataIterator, type ItemPlace, locateItem } from '../engine/index.js';
import { TailraceError } from '../errors/index.js';
import type { BlobFiles } from './blob-files.js';
import { EntryType } from './internal-key.js';
import type { RunCursor } from './run-cursor.js';
import type { DeletedRange } from './store-version.js';
import { Mark } from './unmerged-writes.js';

/** What a column family consists of. */
export interface FamilyLayers {
  /** Newer than every table. */
  readonly unmerged: DataIterator;
  readonly runs: readonly RunCursor[];
  /** What was deleted by range, in tables and behind them. */
  readonly deletedRanges: readonly DeletedRange[];
  readonly blobs: BlobFiles;
}

/** Walks the keys of a column family that exist: of each, what was written last decides. Forwards alone. */
export class MergedIterator implements DataIterator {
  readonly #layers: FamilyLayers;
  readonly #end: Uint8Array | undefined;
  #item: DataItem | undefined;

  constructor(layers: FamilyLayers, begin: Uint8Array, end: Uint8Array | undefined) {
    this.#layers = layers;
    this.#end = end;
    for (const run of layers.runs) run.seek(begin);
    this.#settle();
  }

  get valid(): boolean {
    return this.#item !== undefined;
  }

  get item(): DataItem {
    if (this.#item === undefined) throw new RangeError('the iterator is not valid');
    return this.#item;
  }

  locate(place: ItemPlace): void {
    locateItem(this.item, place);
  }

  next(): void {
    if (this.#item !== undefined) this.#settle();
  }

  seek(target: Uint8Array): void {
    this.#layers.unmerged.seek(target);
    for (const run of this.#layers.runs) run.seek(target);
    this.#settle();
  }

  close(): void {
    this.#item = undefined;
    this.#layers.unmerged.close();
  }

  *[Symbol.iterator](): Generator<DataItem> {
    try {
      for (; this.#item !== undefined; this.next()) yield this.#item;
    } finally {
      this.close();
    }
  }

  /** Takes the next key that exists, and moves every layer behind it. */
  #settle(): void {
    for (;;) {
      const key = this.#lowestKey();
      if (key === undefined || (this.#end !== undefined && compareBytes(key, this.#end) >= 0)) {
        this.#item = undefined;
        return;
      }
      const value = this.#takeNewest(key);
      if (value === undefined) continue;
      this.#item = { key, value };
      return;
    }
  }

  /** Owned. */
  #lowestKey(): Buffer | undefined {
    const { unmerged, runs } = this.#layers;
    let lowest: Buffer | undefined = unmerged.valid ? unmerged.item.key : undefined;
    for (const run of runs) {
      if (!run.valid) continue;
      const key = run.entry.key();
      if (lowest === undefined || compareBytes(key, lowest) < 0) lowest = key;
    }
    return lowest && Buffer.from(lowest);
  }

  /** What the key holds, undefined when it was deleted. Every layer moves behind it. */
  #takeNewest(key: Buffer): Buffer | undefined {
    const { unmerged, runs, blobs } = this.#layers;
    let sequence = -1;
    let value: Buffer | undefined;
    let blobOf: string | undefined;
    for (const run of runs) {
      while (run.valid && compareBytes(run.entry.key(), key) === 0) {
        const { entry } = run;
        if (entry.sequence > sequence) {
          sequence = entry.sequence;
          // Blocks are never written to again, so that a view of one stays as it is.
          value = isPut(entry.type, entry.table.path) ? entry.value() : undefined;
          blobOf = entry.type === EntryType.blobIndex ? entry.table.path : undefined;
        }
        run.next();
      }
    }
    if (sequence >= 0 && this.#isInDeletedRange(key, sequence)) value = undefined;
    if (unmerged.valid && compareBytes(unmerged.item.key, key) === 0) {
      const marked = unmerged.item.value;
      value = marked[0] === Mark.put ? Buffer.from(marked.subarray(1)) : undefined;
      unmerged.next();
      return value;
    }
    return value === undefined || blobOf === undefined ? value : blobs.read(value, key, blobOf);
  }

  #isInDeletedRange(key: Buffer, sequence: number): boolean {
    return this.#layers.deletedRanges.some((range) => {
      if (range.sequence <= sequence || compareBytes(range.begin, key) > 0) return false;
      const toEnd = compareBytes(key, range.end);
      return toEnd < 0 || (toEnd === 0 && range.isEndIncluded);
    });
  }
}

const isPut = (type: number, path: string): boolean => {
  if (type === EntryType.value || type === EntryType.blobIndex) return true;
  if (type === EntryType.deletion || type === EntryType.singleDeletion) return false;
  throw new TailraceError('SOURCE_UNSUPPORTED', `${path} has entries that are not known: type ${type}`, {
    context: { file: path, type },
    remedy: 'Start Kvrocks on the directory and migrate over the network: merges cannot be read.',
  });
};
