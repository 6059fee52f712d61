import { mayBeNeighbours } from '../key-hash.js';
import { type EntryView, hasKey } from './entry-view.js';
import { countOf } from './page.js';
import type { PageCache } from './page-cache.js';

/**
 * The entry that was found last, and so where its neighbours are: keys are often read in order, as the elements of a list
 * are when it is popped, and the next one then costs a comparison instead of a descent of the tree.
 *
 * A tree is never changed, so the leaf stays part of the tree with this root, whose unit may be used again: `clear` before
 * it is. Hot: bench `server`, RPOP.
 */
export class LastLeaf {
  /** Unit of the root of the tree that the leaf belongs to; 0 = there is none. */
  #root = 0;
  #unit = 0;
  #frame = 0;
  #index = 0;
  #hash = 0;
  /** Whether keys are being read in order; otherwise looking at the neighbours would be in vain. */
  #isWalked = false;

  /** Takes note of the entry at `index` of the leaf in a frame of the page cache; `hash` is its key's. */
  note(root: number, hash: number, unit: number, frame: number, index: number): void {
    this.#root = root;
    this.#hash = hash;
    this.#unit = unit;
    this.#frame = frame;
    this.#index = index;
  }

  clear(): void {
    this.#root = 0;
  }

  /** Reads the entry with this key into `entry`, and points the cache at its leaf, when it is a neighbour of the last one. */
  find(cache: PageCache, root: number, key: Uint8Array, hash: number, entry: EntryView): boolean {
    if (root !== this.#root || !(this.#isWalked || mayBeNeighbours(hash, this.#hash))) return false;
    this.#isWalked = cache.refetch(this.#unit, this.#frame) && this.#findBeside(cache, key, entry);
    return this.#isWalked;
  }

  #findBeside({ bytes, base }: PageCache, key: Uint8Array, entry: EntryView): boolean {
    const index = this.#index;
    return (
      (index > 0 && this.#isAt(index - 1, bytes, base, key, entry)) ||
      (index + 1 < countOf(bytes, base) && this.#isAt(index + 1, bytes, base, key, entry))
    );
  }

  #isAt(index: number, bytes: Uint8Array, base: number, key: Uint8Array, entry: EntryView): boolean {
    entry.readLeaf(bytes, base, index);
    if (!hasKey(bytes, base, entry, key)) return false;
    this.#index = index;
    return true;
  }
}
