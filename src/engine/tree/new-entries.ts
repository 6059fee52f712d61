import type { Changes } from './changes.js';
import type { EntryCounts } from './entry-counts.js';
import { largeReferenceOf } from './large-value.js';
import { isLargeValue } from './leaf-patch.js';
import { pageBytes, putBytes } from './page.js';
import type { PendingEntry } from './page-builder.js';
import type { PageOutput } from './page-output.js';
import { makeKey } from './tree-key.js';

/**
 * Entries of changes on their way into the builder of leaves. Changes are borrowed only until the next one, while a
 * builder gathers some pages of entries: values are copied into one piece of memory, round and round.
 */
export class NewEntries {
  readonly #output: PageOutput;
  readonly #counts: EntryCounts;
  readonly #values = Buffer.allocUnsafeSlow(heldBytes);
  #valuesEnd = 0;

  constructor(output: PageOutput, counts: EntryCounts) {
    this.#output = output;
    this.#counts = counts;
  }

  /** The entry of a change that puts a value: good until some pages more of them have come. */
  entryOf({ keyBytes, keyStart, keyEnd, valueBytes, valueStart, valueEnd }: Changes): PendingEntry {
    const key = makeKey(this.#output, keyBytes, keyStart, keyEnd);
    const valueLength = valueEnd - valueStart;
    const isLarge = isLargeValue(keyEnd - keyStart, valueLength);
    this.#counts.entries++;
    if (isLarge || key.tail !== undefined) this.#counts.largeEntries++;
    if (isLarge) {
      const payload = largeReferenceOf(this.#output.writeValue(valueBytes, valueStart, valueEnd));
      return { key, payload, payloadStart: 0, payloadEnd: payload.length, valueLength, isLarge };
    }
    if (this.#valuesEnd + valueLength > heldBytes) this.#valuesEnd = 0;
    const payloadStart = this.#valuesEnd;
    const payloadEnd = putBytes(this.#values, payloadStart, valueBytes, valueStart, valueEnd);
    this.#valuesEnd = payloadEnd;
    return { key, payload: this.#values, payloadStart, payloadEnd, valueLength, isLarge };
  }
}

/** More than twice of what a builder gathers. */
const heldBytes = 8 * pageBytes;
