/**
 * How far writers may get ahead of the merge that is under way. Where they are faster than merges, memory would be full
 * some time before the merge ends, and all of them would stand still until then, for seconds. So some of what they may
 * fill is theirs at once, and they get the rest as the merge goes on: they wait as long in all, some milliseconds at a time.
 *
 * When it does not go on, as while the disk syncs what it has made, they get a little more with each millisecond.
 */
export class WritePace {
  readonly #mergedBytes: number;
  /** Bytes that wait for the next merge when this one begins, and that may at its end. */
  readonly #begin: number;
  readonly #end: number;
  readonly #bytesPerMs: number;
  readonly #progress: () => number;
  /** How far the merge was when it was looked at, and since when it has been so, in ms. */
  #seen = 0;
  #seenAt = performance.now();
  /** Bytes that they got while it did not go on. */
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
    // What is written now is what the next merge has to do, beside which as much must fit again: no more than half, unless
    // this merge is a small one, as for a checkpoint, and ends soon. Where more than that waits already it is half of the rest.
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

  /** True when writers are ahead and the merge ends soon: what they have written should be in order for the next. */
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

/** Part of the room that is theirs from the beginning. */
const atOnce = 0.5;
/** As long before the end as it takes to bring a memtable in order. */
const nearEnd = 0.9;
/** A merge that goes on is seen to within so long. */
const patienceMs = 3;
/** Part of the capacity: some KiB, so that what there may be above the capacity lasts for some seconds. */
const extraPerMs = 1 / 50_000;
