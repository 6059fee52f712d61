/**
 * How far writers may get ahead of the merge that is under way. Writers that are faster than merges would fill the memory
 * before the merge ends and then all stand still until it does, for seconds. So they are given a part of the memory at
 * once and the rest as the merge progresses: they wait as long in total, but some milliseconds at a time.
 *
 * When the merge makes no progress, as while the disk syncs what it has written, they get a little more per millisecond.
 */
export class WritePace {
  readonly #mergedBytes: number;
  /** Bytes that wait for the next merge when this one begins, and that may at its end. */
  readonly #begin: number;
  readonly #end: number;
  readonly #bytesPerMs: number;
  readonly #progress: () => number;
  /** The progress that was last seen, and since when it has been that, in ms. */
  #seen = 0;
  #seenAt = performance.now();
  /** Bytes that writers were given while it made no progress. */
  #extra = 0;

  /**
   * @param mergedBytes of the memtables that are merged
   * @param usedBytes of all memtables, now that the merge begins
   * @param capacity bytes that all memtables may have
   * @param progress which part of the merge is done, 0 to 1
   */
  constructor(mergedBytes: number, usedBytes: number, capacity: number, progress: () => number) {
    this.#mergedBytes = mergedBytes;
    this.#begin = usedBytes - mergedBytes;
    // What is written now is the work of the next merge, beside which as much must fit again: so no more than half of the
    // capacity, unless this merge is a small one, as for a checkpoint, and ends soon. If more is waiting already, half the rest.
    const wanted = capacity - Math.max(mergedBytes, Math.min(capacity / 2, 2 * mergedBytes));
    this.#end = Math.max(wanted, this.#begin, (this.#begin + capacity - mergedBytes) / 2);
    this.#bytesPerMs = capacity * extraPerMs;
    this.#progress = progress;
  }

  /** True when writers should wait, with so many bytes in all memtables. */
  isExceededBy(bytes: number): boolean {
    const ahead = bytes - this.#mergedBytes;
    return ahead > this.#at(atOnce) && ahead > this.#allowed();
  }

  /** True when writers are ahead and the merge ends soon: it is time to sort what they have written for the next one. */
  isEndingFor(bytes: number): boolean {
    return bytes - this.#mergedBytes > this.#at(atOnce) && this.#progress() >= nearEnd;
  }

  #allowed(): number {
    const progress = this.#progress();
    const now = performance.now();
    const stoodMs = now - this.#seenAt - patienceMs;
    if (progress > this.#seen) {
      this.#seen = progress;
      this.#seenAt = now;
    } else if (stoodMs > 0) {
      this.#extra += stoodMs * this.#bytesPerMs;
      this.#seenAt += stoodMs;
    }
    return this.#at(atOnce + (1 - atOnce) * progress) + this.#extra;
  }

  #at(part: number): number {
    return this.#begin + (this.#end - this.#begin) * part;
  }
}

/** Part of the room that writers are given at once. */
const atOnce = 0.5;
/** As long before the end as sorting a memtable takes. */
const nearEnd = 0.9;
/** A merge that runs shows progress within this time. */
const patienceMs = 3;
/** Part of the capacity: some KiB, so that the allowance above the capacity lasts for some seconds. */
const extraPerMs = 1 / 50_000;
