import { childrenOf } from './branch-children.js';
import { BranchPatch } from './branch-patch.js';
import type { Changes } from './changes.js';
import type { DataFile } from './data-file.js';
import type { EntryCounts } from './entry-counts.js';
import { childAt, EntryView, wholeKey } from './entry-view.js';
import { LeafPatch } from './leaf-patch.js';
import type { Sibling } from './leaf-split.js';
import { LeafWindow } from './leaf-window.js';
import { LevelBuilders } from './level-builders.js';
import { NewEntries } from './new-entries.js';
import { OldTree } from './old-tree.js';
import { countOf, pageBytes } from './page.js';
import type { PageCache } from './page-cache.js';
import type { PageOutput } from './page-output.js';
import { PageSearch } from './page-search.js';
import { RangeWalk } from './range-walk.js';
import { emptyRoot, type TreeRoot } from './superblock.js';
import { compareToKey, copyOfKey, lowestKey, makeKey, type TreeKey } from './tree-key.js';
import type { UnitSource } from './unit-source.js';

/**
 * Merges changes into one tree. The old tree is not touched: pages that change are written anew and their units
 * released; all others become part of the new tree as they are.
 *
 * The old tree is walked in key order. A subtree that no change falls into is passed on by its root page. A leaf with
 * changes is patched, and so is a branch as long as each of its children becomes one page again; or its entries go with
 * the changes into the builder of the lowest level, whose pages go into the builder above it, and so on. Before a subtree
 * is passed on, the builders below it are finished; should little have gathered there, the next page is taken in as well,
 * so that pages do not stay underfull where much is deleted.
 *
 * `run` is a generator that yields after every page, so that whoever drives it can pause.
 */
export class TreeMerge {
  readonly #cache: PageCache;
  readonly #output: PageOutput;
  readonly #search: PageSearch;
  readonly #patch: LeafPatch;
  readonly #builders: LevelBuilders;
  readonly #branches: BranchPatch[] = [];
  /** The branches that are being patched, from the root on. */
  readonly #open: OpenBranch[] = [];
  readonly #entry = new EntryView();
  readonly #window: LeafWindow;
  readonly #changes: Changes;
  readonly #ranges: RangeWalk;
  readonly #counts: EntryCounts = { entries: 0, largeEntries: 0 };
  readonly #old: OldTree;
  readonly #newEntries: NewEntries;
  /** When the page that was merged last was split: the new pages other than the first. */
  #siblings: readonly Sibling[] = none;

  constructor(file: DataFile, cache: PageCache, units: UnitSource, output: PageOutput, changes: Changes) {
    this.#window = new LeafWindow(file, cache);
    this.#old = new OldTree(units, output, cache, this.#window, this.#counts);
    this.#newEntries = new NewEntries(output, this.#counts);
    this.#cache = cache;
    this.#output = output;
    this.#search = new PageSearch(output);
    this.#patch = new LeafPatch(this.#window, output);
    this.#builders = new LevelBuilders(output, (key) => this.#old.releaseKey(key));
    this.#changes = changes;
    this.#ranges = new RangeWalk(changes.ranges, output);
  }

  *run(root: TreeRoot): Generator<undefined, TreeRoot> {
    if (!this.#changes.valid && this.#ranges.isEmpty) return root;
    this.#counts.entries = root.entries;
    this.#counts.largeEntries = root.largeEntries;
    if (root.unit === 0) {
      yield* this.#addChanges(lowestKey, undefined);
    } else if (this.#coversAll(root)) {
      yield* this.#old.releaseTree(root.unit, root.level, root.largeEntries > 0);
      this.#counts.entries = 0;
      this.#counts.largeEntries = 0;
      yield* this.#addChanges(lowestKey, undefined);
    } else if (root.level === 0) {
      yield* this.#mergeLeaf(root.unit, lowestKey, undefined);
    } else {
      const unit = yield* this.#mergeBranch(root.unit, root.level, lowestKey, undefined, true);
      if (unit !== undefined && this.#siblings.length === 0)
        return { unit, level: root.level, ...this.#counts };
      if (unit !== undefined) this.#addChildren(root.level + 1, lowestKey, unit);
    }
    return this.#finish();
  }

  /**
   * Returns the unit of the page that takes its place, followed by `#siblings`; undefined when its entries went into the
   * builders.
   */
  *#mergeBranch(
    unit: number,
    level: number,
    low: TreeKey,
    high: TreeKey | undefined,
    isLeftmost: boolean,
  ): Generator<undefined, number | undefined> {
    const page = this.#branch(level);
    this.#cache.fetch(unit);
    page.read(this.#cache.bytes, this.#cache.base);
    const branch: OpenBranch = { page, unit, level, low, high, isLeftmost, place: 0 };
    this.#open.push(branch);
    if (this.#isPatchable(branch)) yield* this.#patchBranch(branch);
    else this.#closeBranches();
    if (this.#open.at(-1) !== branch) {
      yield* this.#rebuildBranch(branch);
      return undefined;
    }
    this.#open.pop();
    this.#siblings = none;
    if (!page.isChanged) return unit;
    this.#old.releasePage(unit);
    const first = page.write();
    this.#siblings = page.siblings;
    return first;
  }

  #isPatchable({ page, level }: OpenBranch): boolean {
    // Keys below the first separator belong to the first child: it must not stand in the way of those that are added.
    if (!this.#ranges.isEmpty || this.#comesBefore(page)) return false;
    return this.#builders.areEmptyUpTo(level);
  }

  /** Goes on until a child cannot be patched; the branch is no longer open then. */
  *#patchBranch(branch: OpenBranch): Generator<undefined, void> {
    const { page, level, high, isLeftmost } = branch;
    const isBelow = (): boolean => {
      const next = branch.place + 1;
      return next < page.count ? page.isBefore(next, this.#changes) : this.#isBelow(high);
    };
    for (; branch.place < page.count && this.#changes.valid; branch.place++) {
      if (!isBelow()) continue;
      const { place } = branch;
      const child = page.child(place);
      const replacement =
        level === 1
          ? this.#patchLeaf(child, isBelow, branch)
          : yield* this.#mergeBranch(
              child,
              level - 1,
              page.separator(place),
              place + 1 < page.count ? page.separator(place + 1) : high,
              isLeftmost && place === 0,
            );
      if (replacement === undefined) {
        if (level === 1) this.#closeBranches();
        else branch.place++; // the builders have done this child
        return;
      }
      page.replace(place, replacement);
      page.addBehind(place, this.#siblings);
      yield;
    }
  }

  /** Gives up patching: the children done so far go into the builders, from the root down. */
  #closeBranches(): void {
    for (const { page, unit, level, low, place } of this.#open.splice(0)) {
      this.#old.releasePage(unit);
      this.#builders.start(level, low);
      page.forEachBefore(place, (separator, child) => this.#builders.addChild(level, separator, child));
    }
  }

  /** The general case, from the place that patching has reached. */
  *#rebuildBranch({ page, level, high, isLeftmost, ...branch }: OpenBranch): Generator<undefined, void> {
    for (let i = branch.place; i < page.count; i++) {
      const child = page.child(i);
      let low = page.separator(i);
      if (i === 0 && (isLeftmost || this.#comesBefore(page))) {
        this.#old.releaseKey(low);
        low = isLeftmost ? lowestKey : this.#changeKey();
      }
      const childHigh = i + 1 < page.count ? page.separator(i + 1) : high;
      if (!this.#isTouched(low, childHigh)) {
        this.#passOn(level - 1, low, child);
        continue;
      }
      if (this.#ranges.cover(low, childHigh)) {
        yield* this.#old.releaseTree(child, level - 1, true);
        // What is written in the range may be a subtree again: each level of it needs a place to begin.
        for (let below = level - 1; below > 0; below--)
          this.#builders.start(below, copyOfKey(this.#output, low));
        yield* this.#addChanges(low, childHigh);
      } else if (level === 1) {
        yield* this.#mergeLeaf(child, low, childHigh, { page, place: i });
      } else {
        const unit = yield* this.#mergeBranch(child, level - 1, low, childHigh, isLeftmost && i === 0);
        if (unit !== undefined) this.#addChildren(level, low, unit);
      }
      yield;
    }
  }

  *#mergeLeaf(
    unit: number,
    low: TreeKey,
    high: TreeKey | undefined,
    parent?: LeafParent,
  ): Generator<undefined, void> {
    if (this.#builders.at(0).isEmpty && !this.#ranges.beginBelow(high)) {
      const patched = this.#patchLeaf(unit, () => this.#isBelow(high), parent);
      if (patched !== undefined) {
        this.#addChildren(1, low, patched);
        return;
      }
    }
    this.#readLeaf(unit, parent);
    this.#builders.start(0, low);
    yield* this.#mergeEntries(copyOfPage(this.#window.bytes, this.#window.base), high);
    this.#old.releasePage(unit);
    // The leaves behind are patched again rather than made anew entry by entry.
    if (this.#builders.at(0).isRoomy) this.#builders.at(0).finish();
  }

  /** The common case. Returns the unit of the page that takes the leaf's place, followed by `#siblings`; undefined when unfit. */
  #patchLeaf(unit: number, isBelow: () => boolean, parent?: LeafParent): number | undefined {
    this.#window.takeUnchecked(unit, (most) => parent?.page.adjacent(parent.place, most) ?? 1);
    const result = this.#patch.apply(this.#changes, isBelow);
    if (result === 'unfit') return undefined;
    this.#counts.entries += this.#patch.entriesDelta;
    this.#counts.largeEntries += this.#patch.largeDelta;
    this.#siblings = none;
    if (result === 'unchanged') return unit;
    this.#old.releasePage(unit);
    if (result === 'patched') return this.#output.unit;
    this.#siblings = this.#patch.split.siblings;
    return this.#patch.split.unit;
  }

  /** Adds the page that was merged last, and those behind it, to the level above. */
  #addChildren(level: number, low: TreeKey, unit: number): void {
    this.#builders.addChild(level, low, unit);
    for (const sibling of this.#siblings) this.#builders.addChild(level, sibling.separator, sibling.unit);
  }

  /** The general case: each entry of the page and each change below `high`, in order. The page is the caller's. */
  *#mergeEntries(page: Buffer, high: TreeKey | undefined): Generator<undefined, void> {
    const changes = this.#changes;
    const count = countOf(page, 0);
    const entry = this.#entry;
    let added = 0;
    for (let i = 0; i < count; i++) {
      let isReplaced = false;
      while (changes.valid && !isReplaced) {
        const { keyBytes, keyStart, keyEnd } = changes;
        const order = this.#search.compareTo(page, 0, i, keyBytes, keyStart, keyEnd);
        if (order > 0) break;
        isReplaced = order === 0;
        this.#addChange();
        if (++added % changesPerStep === 0) yield;
      }
      entry.readLeaf(page, 0, i);
      if (isReplaced || this.#isInRange(page)) this.#old.releaseEntry(page, entry);
      else this.#builders.at(0).addFromLeaf(page, 0, entry);
    }
    yield* this.#addChangesBelow(high);
  }

  /** Adds the changes below `high` where the tree holds nothing. */
  *#addChanges(low: TreeKey, high: TreeKey | undefined): Generator<undefined, void> {
    this.#builders.start(0, low);
    yield* this.#addChangesBelow(high);
  }

  /** There may be very many: all changes, in an empty tree or behind its last key. */
  *#addChangesBelow(high: TreeKey | undefined): Generator<undefined, void> {
    for (let added = 1; this.#changes.valid && this.#isBelow(high); added++) {
      this.#addChange();
      if (added % changesPerStep === 0) yield;
    }
  }

  #addChange(): void {
    const changes = this.#changes;
    if (!changes.isDeleted) this.#newEntries.addTo(this.#builders.at(0), changes);
    changes.next();
  }

  /** Makes a subtree without changes part of the new tree. */
  #passOn(level: number, low: TreeKey, unit: number): void {
    if (this.#builders.isUnderfullAt(level)) {
      this.#old.releaseKey(low);
      this.#takeIn(level, unit);
      return;
    }
    this.#builders.finishUpTo(level);
    this.#builders.addChild(level + 1, low, unit);
  }

  /** Takes the entries of an unchanged page into the builder of its level. */
  #takeIn(level: number, unit: number): void {
    if (level === 0) {
      this.#readLeaf(unit);
      const page = copyOfPage(this.#window.bytes, this.#window.base);
      const entry = this.#entry;
      for (let i = 0; i < countOf(page, 0); i++) {
        entry.readLeaf(page, 0, i);
        this.#builders.at(0).addFromLeaf(page, 0, entry);
      }
    } else {
      for (const { separator, child } of childrenOf(unit, this.#cache))
        this.#passOn(level - 1, separator, child);
    }
    this.#old.releasePage(unit);
  }

  /** True when a change or a deleted range lies between the bounds; the changes before `low` are done. */
  #isTouched(low: TreeKey, high: TreeKey | undefined): boolean {
    this.#ranges.moveTo(low);
    return (this.#changes.valid && this.#isBelow(high)) || this.#ranges.beginBelow(high);
  }

  #isBelow(high: TreeKey | undefined): boolean {
    if (high === undefined) return true;
    const { keyBytes, keyStart, keyEnd } = this.#changes;
    return compareToKey(this.#output, keyBytes, keyStart, keyEnd, high) < 0;
  }

  /** True when the first deleted range covers every key of the tree. */
  #coversAll(root: TreeRoot): boolean {
    return (
      !this.#ranges.isEmpty && this.#ranges.firstSpans(this.#edgeKey(root, false), this.#edgeKey(root, true))
    );
  }

  #edgeKey(root: TreeRoot, isLast: boolean): Buffer {
    let { unit } = root;
    for (let level = root.level; level > 0; level--) {
      this.#cache.fetch(unit);
      const { bytes, base } = this.#cache;
      unit = childAt(bytes, base, isLast ? countOf(bytes, base) - 1 : 0);
    }
    this.#cache.fetch(unit);
    const { bytes, base } = this.#cache;
    this.#entry.readLeaf(bytes, base, isLast ? countOf(bytes, base) - 1 : 0);
    return wholeKey(this.#output, bytes, base, this.#entry);
  }

  /** True when the current change lies before all separators of a branch: it belongs to the first child. */
  #comesBefore(page: BranchPatch): boolean {
    return this.#changes.valid && page.isBefore(0, this.#changes);
  }

  /** The key of the current change, as a separator. */
  #changeKey(): TreeKey {
    const { keyBytes, keyStart, keyEnd } = this.#changes;
    return makeKey(this.#output, keyBytes, keyStart, keyEnd);
  }

  /** True when the entry last read lies in a deleted range. */
  #isInRange(page: Buffer): boolean {
    return !this.#ranges.isPast && this.#ranges.contain(wholeKey(this.#output, page, 0, this.#entry));
  }

  /** Takes a leaf into the window, with those behind it where its parent is given. */
  #readLeaf(unit: number, parent?: LeafParent): void {
    this.#window.take(unit, (most) => parent?.page.adjacent(parent.place, most) ?? 1);
  }

  #branch(level: number): BranchPatch {
    while (this.#branches.length <= level)
      this.#branches.push(new BranchPatch(this.#branches.length, this.#search, this.#output));
    return this.#branches[level];
  }

  /** Makes pages of what has gathered; returns the root. */
  #finish(): TreeRoot {
    const top = this.#builders.finish();
    if (top === undefined) return emptyRoot;
    return { ...top, ...this.#counts };
  }
}

/** A branch that is being patched. */
interface OpenBranch {
  readonly page: BranchPatch;
  readonly unit: number;
  readonly level: number;
  readonly low: TreeKey;
  readonly high: TreeKey | undefined;
  readonly isLeftmost: boolean;
  /** The child at hand: those before it are done. */
  place: number;
}

/** Where a leaf is found. */
type LeafParent = Pick<OpenBranch, 'page' | 'place'>;

const none: readonly Sibling[] = [];
/** Changes that are added without a pause. */
const changesPerStep = 64;

const copyOfPage = (bytes: Buffer, base: number): Buffer =>
  Buffer.from(bytes.subarray(base, base + pageBytes));
