import { childrenOf } from './branch-children.js';
import type { EntryCounts } from './entry-counts.js';
import { EntryView } from './entry-view.js';
import { readLargeReference } from './large-value.js';
import type { LeafWindow } from './leaf-window.js';
import { countOf, u32 } from './page.js';
import type { PageCache } from './page-cache.js';
import type { PageOutput } from './page-output.js';
import type { TreeKey } from './tree-key.js';
import type { UnitSource } from './unit-source.js';

/** Releases what of an old tree does not become part of the new one, and counts its entries no longer. */
export class LeftParts {
  readonly #units: UnitSource;
  readonly #output: PageOutput;
  readonly #cache: PageCache;
  readonly #window: LeafWindow;
  readonly #counts: EntryCounts;
  readonly #entry = new EntryView();

  constructor(
    units: UnitSource,
    output: PageOutput,
    cache: PageCache,
    window: LeafWindow,
    counts: EntryCounts,
  ) {
    this.#units = units;
    this.#output = output;
    this.#cache = cache;
    this.#window = window;
    this.#counts = counts;
  }

  /** A page alone: what belongs to its entries goes on. */
  leavePage(unit: number): void {
    this.#units.release(unit, 1);
  }

  /** All pages of a subtree; the runs of its entries too, which `hasRuns` says it may have. */
  *leaveTree(unit: number, level: number, hasRuns: boolean): Generator<undefined, void> {
    if (level > 0) {
      const children = childrenOf(unit, this.#cache);
      for (const { separator } of children) this.leaveKey(separator);
      for (const { child } of children) yield* this.leaveTree(child, level - 1, hasRuns);
    } else if (hasRuns) {
      this.#window.take(unit, () => 1);
      const { bytes, base } = this.#window;
      for (let i = 0; i < countOf(bytes, base); i++) {
        this.#entry.readLeaf(bytes, base, i);
        this.leaveEntry(bytes, this.#entry);
      }
    }
    this.leavePage(unit);
    yield;
  }

  /** An entry of a leaf. */
  leaveEntry(bytes: Buffer, { isLarge, tailAt, valueAt, valueLength }: EntryView): void {
    this.#counts.entries--;
    if (!isLarge && tailAt < 0) return;
    this.#counts.largeEntries--;
    if (isLarge)
      for (const { start, length } of readLargeReference(bytes, valueAt, valueLength).runs)
        this.#units.release(start, length);
    if (tailAt >= 0) this.#leaveTail(u32(bytes, tailAt), u32(bytes, tailAt + 4));
  }

  /** A separator; undefined = none. */
  leaveKey(key: TreeKey | undefined): void {
    if (key?.tail !== undefined) this.#leaveTail(u32(key.tail, 0), u32(key.tail, 4));
  }

  #leaveTail(unit: number, byteLength: number): void {
    this.#output.releaseRun(unit, byteLength);
  }
}
