import type { Changes } from './changes.js';
import type { EntryCounts } from './entry-counts.js';
import { isLargeValue, largeReferenceOf } from './large-value.js';
import { maxInlineKeyBytes } from './page.js';
import type { PageBuilder } from './page-builder.js';
import type { PageOutput } from './page-output.js';
import { writeTail } from './tree-key.js';

/** Makes entries of changes, for the builder of leaves, and counts them. */
export class NewEntries {
  readonly #output: PageOutput;
  readonly #counts: EntryCounts;

  constructor(output: PageOutput, counts: EntryCounts) {
    this.#output = output;
    this.#counts = counts;
  }

  /** Adds the entry of a change that puts a value. */
  addTo(builder: PageBuilder, changes: Changes): void {
    const { keyBytes, keyStart, keyEnd, valueBytes, valueStart, valueEnd } = changes;
    const output = this.#output;
    const isLarge = isLargeValue(keyEnd - keyStart, valueEnd - valueStart);
    const inlineEnd = keyStart + maxInlineKeyBytes;
    this.#counts.entries++;
    if (isLarge || inlineEnd < keyEnd) this.#counts.largeEntries++;
    const tail = inlineEnd < keyEnd ? writeTail(output, keyBytes, inlineEnd, keyEnd) : undefined;
    const reference = isLarge
      ? largeReferenceOf(output.writeValue(valueBytes, valueStart, valueEnd))
      : undefined;
    builder.addChange(changes, tail, reference);
  }
}
