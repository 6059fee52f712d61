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

/** Gives up what a merge does not take over from the old tree: releases its units and no longer counts its entries. */
export class OldTree {
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

  /** A page alone: the runs of its entries stay in use. */
  releasePage(unit: number): void {
    this.#units.release(unit, 1);
  }

  /** All pages of a subtree and, where `hasRuns` says that there may be some, the runs of its entries. */
  *releaseTree(unit: number, level: number, hasRuns: boolean): Generator<undefined, void> {
    if (level > 0) {
      const children = childrenOf(unit, this.#cache);
      for (const { separator } of children) this.releaseKey(separator);
      for (const { child } of children) yield* this.releaseTree(child, level - 1, hasRuns);
    } else if (hasRuns) {
      this.#window.take(unit, () => 1);
      const { bytes, base } = this.#window;
      for (let i = 0; i < countOf(bytes, base); i++) {
        this.#entry.readLeaf(bytes, base, i);
        this.releaseEntry(bytes, this.#entry);
      }
    }
    this.releasePage(unit);
    yield;
  }

  /** An entry of a leaf, with its runs. */
  releaseEntry(bytes: Buffer, { isLarge, tailAt, valueAt, valueLength }: EntryView): void {
    this.#counts.entries--;
    if (!isLarge && tailAt < 0) return;
    this.#counts.largeEntries--;
    if (isLarge)
      for (const { start, length } of readLargeReference(bytes, valueAt, valueLength).runs)
        this.#units.release(start, length);
    if (tailAt >= 0) this.#releaseTail(u32(bytes, tailAt), u32(bytes, tailAt + 4));
  }

  /** The run of a separator, if it has one. */
  releaseKey(key: TreeKey | undefined): void {
    if (key?.tail !== undefined) this.#releaseTail(u32(key.tail, 0), u32(key.tail, 4));
  }

  #releaseTail(unit: number, byteLength: number): void {
    this.#output.releaseRun(unit, byteLength);
  }
}
