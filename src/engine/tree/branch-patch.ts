import type { Changes } from './changes.js';
import { childAt, EntryView } from './entry-view.js';
import type { Sibling } from './leaf-split.js';
import { countOf, entriesEndOf, pageBytes, prefixLengthOf, putU32 } from './page.js';
import { PageBuilder } from './page-builder.js';
import type { PageOutput } from './page-output.js';
import type { PageSearch } from './page-search.js';
import { keyOf, lowestKey, type TreeKey } from './tree-key.js';

/**
 * The common case of a merge: a branch whose changed children each become one page again, so that only unit numbers in
 * it change, or a few pages. No objects are made per child unless some were added. Hot: bench `engine-store`.
 */
export class BranchPatch {
  /** A copy: reading the children may take the page out of the cache. */
  readonly bytes = Buffer.allocUnsafeSlow(pageBytes);
  count = 0;
  isChanged = false;
  /** The pages behind the first one, after `write`. */
  siblings: readonly Sibling[] = [];
  /** Children that were added, each behind the one at a place. */
  #added: { readonly behind: number; readonly sibling: Sibling }[] = [];
  readonly #level: number;
  readonly #search: PageSearch;
  readonly #output: PageOutput;
  readonly #entry = new EntryView();

  constructor(level: number, search: PageSearch, output: PageOutput) {
    this.#level = level;
    this.#search = search;
    this.#output = output;
  }

  read(bytes: Buffer, base: number): void {
    bytes.copy(this.bytes, 0, base, base + pageBytes);
    this.count = countOf(this.bytes, 0);
    this.isChanged = false;
    this.#added = [];
  }

  separator(place: number): TreeKey {
    this.#entry.readBranch(this.bytes, 0, place);
    return keyOf(this.bytes, 0, this.#entry);
  }

  child(place: number): number {
    return childAt(this.bytes, 0, place);
  }

  /** How many children, from a place on, lie in units that follow each other; at most `most`. */
  adjacent(place: number, most: number): number {
    const end = Math.min(most, this.count - place);
    const unit = this.child(place);
    let adjacent = 1;
    while (adjacent < end && this.child(place + adjacent) === unit + adjacent) adjacent++;
    return adjacent;
  }

  /** True when the change at hand lies before a child. */
  isBefore(place: number, { keyBytes, keyStart, keyEnd }: Changes): boolean {
    return this.#search.compareTo(this.bytes, 0, place, keyBytes, keyStart, keyEnd) < 0;
  }

  replace(place: number, unit: number): void {
    if (this.child(place) === unit) return;
    this.#entry.readBranch(this.bytes, 0, place);
    putU32(this.bytes, this.#entry.valueAt, unit);
    this.isChanged = true;
  }

  /** Adds children behind the one at a place, and behind those that were added there before. */
  addBehind(place: number, siblings: readonly Sibling[]): void {
    for (const sibling of siblings) this.#added.push({ behind: place, sibling });
  }

  /** The children before a place, as they are now, those that were added included. */
  forEachBefore(end: number, take: (separator: TreeKey, unit: number) => void): void {
    let added = 0;
    for (let place = 0; place < end; place++) {
      take(this.separator(place), this.child(place));
      for (; this.#added[added]?.behind === place; added++) {
        const { separator, unit } = this.#added[added].sibling;
        take(separator, unit);
      }
    }
  }

  /** Writes the page, or several where children were added; returns the unit of the first. */
  write(): number {
    this.siblings = [];
    if (this.#added.length > 0) return this.#writeSeveral();
    const output = this.#output;
    output.begin();
    this.bytes.copy(output.bytes, output.base);
    output.seal(this.#level, this.count, prefixLengthOf(this.bytes, 0), entriesEndOf(this.bytes, 0), true);
    return output.unit;
  }

  #writeSeveral(): number {
    const pages: Sibling[] = [];
    const builder = new PageBuilder(this.#level, this.#output, (separator, unit) =>
      pages.push({ separator, unit }),
    );
    builder.startAt(lowestKey); // the branch above has its separator
    this.forEachBefore(this.count, (separator, unit) => builder.addChild(separator, unit));
    builder.finish();
    const [first, ...siblings] = pages;
    this.siblings = siblings;
    return first.unit;
  }
}
