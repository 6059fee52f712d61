import { TailraceError } from '../../errors/index.js';
import type { DataFile } from './data-file.js';
import { childAt, EntryView, wholeKey } from './entry-view.js';
import { readLargeReference, unitsFor } from './large-value.js';
import { countOf, levelOf, pageBytes, u32 } from './page.js';
import type { TreeRoot } from './superblock.js';

/**
 * Walks a whole tree on disk, past the cache, and checks it: every page intact, keys in order and within their
 * separators, levels and counts right, every run readable. Calls `onUnits` for all that the tree uses; yields after each page.
 * @throws TailraceError `STORE_CORRUPT`
 */
export function* auditTree(file: DataFile, root: TreeRoot, onUnits: OnUnits): Generator<undefined, void> {
  if (root.unit !== 0) yield* new TreeAudit(file, onUnits).run(root);
}

type OnUnits = (start: number, length: number) => void;

class TreeAudit {
  readonly #file: DataFile;
  readonly #onUnits: OnUnits;
  readonly #entry = new EntryView();
  #entries = 0;
  #largeEntries = 0;

  constructor(file: DataFile, onUnits: OnUnits) {
    this.#file = file;
    this.#onUnits = onUnits;
  }

  *run({ unit, level, entries, largeEntries }: TreeRoot): Generator<undefined, void> {
    yield* this.#visit(unit, level, Buffer.alloc(0), undefined);
    if (this.#entries !== entries || this.#largeEntries !== largeEntries)
      throw this.#fault(
        unit,
        `the tree has ${this.#entries} entries (${this.#largeEntries} large), not ${entries} (${largeEntries})`,
      );
  }

  /** A page and all below it; its keys are not less than `low`, and less than `high`. */
  *#visit(unit: number, level: number, low: Buffer, high: Buffer | undefined): Generator<undefined, void> {
    const page = this.#readPage(unit, level);
    const keys = Array.from({ length: countOf(page, 0) }, (_, i) => this.#visitEntry(page, level, i));
    this.#requireOrder(unit, keys, low, high);
    yield;
    if (level === 0) return;
    for (const [i, key] of keys.entries())
      yield* this.#visit(childAt(page, 0, i), level - 1, i === 0 ? low : key, keys[i + 1] ?? high);
  }

  #readPage(unit: number, level: number): Buffer {
    const page = Buffer.allocUnsafe(pageBytes);
    this.#file.readPage(unit, page, 0);
    this.#onUnits(unit, 1);
    if (levelOf(page, 0) !== level) throw this.#fault(unit, `its level is ${levelOf(page, 0)}, not ${level}`);
    if (countOf(page, 0) === 0) throw this.#fault(unit, 'it is empty');
    return page;
  }

  /** Reads all that belongs to an entry; returns its key. */
  #visitEntry(page: Buffer, level: number, index: number): Buffer {
    const file = this.#file;
    const entry = this.#entry;
    if (level === 0) entry.readLeaf(page, 0, index);
    else entry.readBranch(page, 0, index);
    const { tailAt, isLarge, valueAt, valueLength } = entry;
    if (tailAt >= 0) this.#onUnits(u32(page, tailAt), unitsFor(u32(page, tailAt + 4)));
    if (level === 0) this.#entries++;
    if (level === 0 && (isLarge || tailAt >= 0)) this.#largeEntries++;
    if (level === 0 && isLarge) {
      file.readLarge(page, valueAt, valueLength);
      for (const { start, length } of readLargeReference(page, valueAt, valueLength).runs)
        this.#onUnits(start, length);
    }
    return wholeKey(file, page, 0, entry); // its tail is checked as it is read
  }

  #requireOrder(unit: number, keys: readonly Buffer[], low: Buffer, high: Buffer | undefined): void {
    for (const [i, key] of keys.entries()) {
      if (i > 0 && Buffer.compare(keys[i - 1], key) >= 0)
        throw this.#fault(unit, `entry ${i} is out of order`);
      if (Buffer.compare(key, low) < 0 || (high !== undefined && Buffer.compare(key, high) >= 0))
        throw this.#fault(unit, `entry ${i} lies outside its separators`);
    }
  }

  #fault(unit: number, reason: string): TailraceError {
    const { path: file } = this.#file;
    return new TailraceError('STORE_CORRUPT', `${file}: the page at unit ${unit} is wrong: ${reason}`, {
      context: { file, unit, reason },
      remedy: 'Restore a checkpoint or a backup, and report this: it is a defect.',
    });
  }
}
