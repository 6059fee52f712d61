import { EntryView, hasKey } from './entry-view.js';
import type { KeyHints } from './key-hints.js';
import { LastLeaf } from './last-leaf.js';
import { entryAt } from './page.js';
import type { PageCache } from './page-cache.js';
import type { TreeRoot } from './superblock.js';
import type { TreeDescent } from './tree-descent.js';

/**
 * Finds single keys: beside the one that was found before, by a hint where there is one that holds, else down the tree.
 * Hints are noted of leaves that are read again and again, which others are not worth. Hot: bench `engine-store`.
 */
export class TreeLookup {
  readonly #cache: PageCache;
  readonly #descent: TreeDescent;
  readonly #hints: KeyHints;
  readonly #lastLeaf = new LastLeaf();
  readonly #entry = new EntryView();

  constructor(cache: PageCache, descent: TreeDescent, hints: KeyHints) {
    this.#cache = cache;
    this.#descent = descent;
    this.#hints = hints;
  }

  /** The entry of a key, whose hash is given, in the page that the cache then points at; undefined when it is not there. */
  find(root: TreeRoot, key: Uint8Array, hash: number): EntryView | undefined {
    if (this.#lastLeaf.find(this.#cache, root.unit, key, hash, this.#entry)) return this.#entry;
    return this.#findByHint(root.unit, key, hash) ? this.#entry : this.#descend(root, key, hash);
  }

  /** Forgets where keys were found: units are about to be used again. */
  clear(): void {
    this.#hints.clear();
    this.#lastLeaf.clear();
  }

  #findByHint(root: number, key: Uint8Array, hash: number): boolean {
    const hints = this.#hints;
    const cache = this.#cache;
    if (!hints.find(root, hash) || !cache.refetch(hints.unit, hints.frame)) return false;
    const { bytes, base } = cache;
    this.#entry.readLeafAt(bytes, base + hints.place);
    return hasKey(bytes, base, this.#entry, key);
  }

  #descend(root: TreeRoot, key: Uint8Array, hash: number): EntryView | undefined {
    const descent = this.#descent;
    descent.begin(root, key);
    for (let level = root.level; level > 0; level--) descent.toChild();
    const index = descent.findInLeaf();
    if (!descent.isFound) return undefined;
    const { entry } = descent;
    this.#lastLeaf.note(root.unit, hash, descent.unit, descent.frame, index);
    if (descent.isHot && entry.tailAt < 0) {
      const { bytes, base } = this.#cache;
      this.#hints.note(root.unit, hash, descent.unit, descent.frame, entryAt(bytes, base, index));
    }
    return entry;
  }
}
