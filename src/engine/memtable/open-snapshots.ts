/** The sequence numbers of the snapshots that look through memtables, of which several may share one. */
export class OpenSnapshots {
  /** Ascending, each once: an overwrite asks for one in a span of them, however many are open. */
  readonly #sequences: number[] = [];
  /** How many snapshots each has. */
  readonly #shares: number[] = [];

  /** How many sequence numbers they have. */
  get size(): number {
    return this.#sequences.length;
  }

  /** How many snapshots there are. */
  get count(): number {
    return this.#shares.reduce((total, share) => total + share, 0);
  }

  add(sequence: number): void {
    const at = this.#placeOf(sequence);
    if (this.#sequences[at] === sequence) {
      this.#shares[at]++;
      return;
    }
    this.#sequences.splice(at, 0, sequence);
    this.#shares.splice(at, 0, 1);
  }

  /** One less at a sequence number. True when it was the last one there. */
  release(sequence: number): boolean {
    const at = this.#placeOf(sequence);
    if (this.#sequences[at] !== sequence || --this.#shares[at] > 0) return false;
    this.#sequences.splice(at, 1);
    this.#shares.splice(at, 1);
    return true;
  }

  /** True when there is one at `from` or behind it, before `end`. */
  isAnyIn(from: number, end: number): boolean {
    const at = this.#placeOf(from);
    return at < this.#sequences.length && this.#sequences[at] < end;
  }

  /** Place of the first that is not less. */
  #placeOf(sequence: number): number {
    let low = 0;
    let high = this.#sequences.length;
    // Mostly it is about the newest.
    if (high > 0 && this.#sequences[high - 1] < sequence) return high;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#sequences[middle] < sequence) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
