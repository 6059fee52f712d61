import type { Changes } from './changes.js';
import { interleaveChanges } from './interleave-changes.js';
import { isLargeValue, largeReferenceOf } from './large-value.js';
import { LeafPlan } from './leaf-plan.js';
import { LeafSplit } from './leaf-split.js';
import type { LeafWindow } from './leaf-window.js';
import { countOf, pageBytes, prefixLengthOf, putBytes, putVarint } from './page.js';
import { replaceBytes } from './page-checksum.js';
import type { PageOutput } from './page-output.js';

/** What became of a leaf: `split` into several pages; `unfit` to be patched. */
export type PatchResult = 'patched' | 'split' | 'unchanged' | 'unfit';

/**
 * The common case of a merge: a leaf that takes a few changes and stays one page with the same prefix, or is split
 * into several. What does not change is copied in stretches, not entry by entry.
 *
 * A leaf in which values are only replaced by others of the same length is not even checked: the new page's checksum
 * follows from the old one, so damage is still found by whoever reads the page. Before anything else the leaf is checked.
 * Hot: bench `engine-store`.
 */
export class LeafPatch {
  /** The pages, where the leaf was split. */
  readonly split: LeafSplit;
  readonly #leaf: LeafWindow;
  readonly #output: PageOutput;
  readonly #plan: LeafPlan;

  /** @param leaf where the leaf to be patched is, unchecked, whenever `apply` is called */
  constructor(leaf: LeafWindow, output: PageOutput) {
    this.#leaf = leaf;
    this.#output = output;
    this.#plan = new LeafPlan(leaf, output);
    this.split = new LeafSplit(output);
  }

  /** How many entries the leaf has gained, after `apply`. */
  get entriesDelta(): number {
    return this.#plan.entriesDelta;
  }

  /** How many large values it has gained, after `apply`. */
  get largeDelta(): number {
    return this.#plan.largeDelta;
  }

  /**
   * Applies the changes for which `isBelow` holds, up to the first for which it does not, and makes the page in the
   * output, or the pages. When the leaf is unfit, the changes stand where they stood.
   * @throws TailraceError `STORE_CORRUPT` when the leaf is damaged and had to be checked
   */
  apply(changes: Changes, isBelow: () => boolean): PatchResult {
    const plan = this.#plan;
    const mark = changes.mark();
    const planned = plan.make(changes, isBelow);
    if (planned === 'planned' && plan.isOverwrite) {
      changes.reset(mark);
      this.#overwrite(changes);
      return 'patched';
    }
    this.#leaf.check();
    if (planned === 'unchanged') return 'unchanged';
    changes.reset(mark);
    if (planned === 'unfit') return 'unfit';
    if (plan.byteLength <= pageBytes) {
      this.#write(changes);
      return 'patched';
    }
    const { bytes, base, isCached } = this.#leaf;
    const count = countOf(bytes, base);
    if (plan.isAtOneEnd(count) || !this.split.takes(plan.byteLength)) return 'unfit';
    this.split.gather(bytes, base, changes, plan, this.#putEntry);
    this.split.write(isCached);
    return 'split';
  }

  #overwrite(changes: Changes): void {
    const { bytes, base, isCached } = this.#leaf;
    const { count, valueOffsets } = this.#plan;
    const output = this.#output;
    output.begin();
    const { bytes: page, base: pageBase } = output;
    const pageEnd = pageBase + pageBytes;
    bytes.copy(page, pageBase, base, base + pageBytes);
    let change = 0;
    for (let i = 0; i < count; i++, changes.next()) {
      const at = pageBase + valueOffsets[i];
      const { valueBytes, valueStart, valueEnd } = changes;
      change ^= replaceBytes(page, at, pageEnd, valueBytes, valueStart, valueEnd);
    }
    output.sealCopy(change, isCached);
  }

  #write(changes: Changes): void {
    const { bytes, base, isCached } = this.#leaf;
    const output = this.#output;
    const plan = this.#plan;
    output.begin();
    const { bytes: page, base: pageBase } = output;
    const slotsEnd = pageBase + pageBytes;
    const end = interleaveChanges(bytes, base, changes, plan, this.#putEntry, page, pageBase, slotsEnd);
    const count = countOf(bytes, base) + plan.entriesDelta;
    output.seal(0, count, prefixLengthOf(bytes, base), end - pageBase, isCached);
  }

  readonly #putEntry = (page: Buffer, start: number, changes: Changes, prefixLength: number): number => {
    const { keyBytes, keyStart, keyEnd, valueBytes, valueStart, valueEnd } = changes;
    const valueLength = valueEnd - valueStart;
    const isLarge = isLargeValue(keyEnd - keyStart, valueLength);
    let at = putVarint(page, start, (keyEnd - keyStart - prefixLength) * 2);
    at = putVarint(page, at, valueLength * 2 + (isLarge ? 1 : 0));
    for (let i = keyStart + prefixLength; i < keyEnd; i++) page[at++] = keyBytes[i];
    if (isLarge) {
      const reference = largeReferenceOf(this.#output.writeValue(valueBytes, valueStart, valueEnd));
      page.set(reference, at);
      return at + reference.length;
    }
    return putBytes(page, at, valueBytes, valueStart, valueEnd);
  };
}
