/**
 * Where batches begin in one segment: an entry for about every 256 KiB of log, so that a reader starts near any
 * sequence number without walking the file from its beginning.
 */
export class SegmentIndex {
  readonly #sequences: number[] = [];
  readonly #offsets: number[] = [];
  #nextEntryOffset = 0;

  /** Notes a batch; called in log order. */
  add(sequence: number, offset: number): void {
    if (offset < this.#nextEntryOffset) return;
    this.#sequences.push(sequence);
    this.#offsets.push(offset);
    this.#nextEntryOffset = offset + entrySpacingBytes;
  }

  /** File offset of a record at or before the first batch that reaches `sequence`; 0 when nothing is known. */
  offsetFor(sequence: number): number {
    let low = 0;
    let high = this.#sequences.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#sequences[middle] < sequence) low = middle + 1;
      else high = middle;
    }
    // Batches without counted records share the next batch's sequence, so step to the entry strictly before.
    return low === 0 ? 0 : this.#offsets[low - 1];
  }
}

const entrySpacingBytes = 256 * 1024;
