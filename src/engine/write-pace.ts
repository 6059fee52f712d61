/**
 * How far writers may get ahead of the merge that is under way. Where they are faster than merges, memory would be full
 * some time before the merge ends, and all of them would stand still until then, for seconds. So some of what they may
 * fill is theirs at once, and they get the rest as the merge goes on: they wait as long in all, some milliseconds at a time.
 */
export class WritePace {
  readonly #mergedBytes: number;
  readonly #room: number;
  readonly #progress: () => number;

  /**
   * @param mergedBytes of the memtables that are merged
   * @param capacity bytes that all memtables may have
   * @param progress which part of the merge is done, 0 to 1
   */
  constructor(mergedBytes: number, capacity: number, progress: () => number) {
    this.#mergedBytes = mergedBytes;
    // What is written now is what the next merge has to do, beside which as much must fit again.
    this.#room = Math.min(capacity - mergedBytes, capacity / 2);
    this.#progress = progress;
  }

  /** True when writers should wait, with so many bytes in all memtables. */
  isExceededBy(bytes: number): boolean {
    const ahead = bytes - this.#mergedBytes;
    return ahead > this.#room * atOnce && ahead > this.#room * (atOnce + (1 - atOnce) * this.#progress());
  }

  /** True when writers are ahead and the merge ends soon: what they have written should be in order for the next. */
  isEndingFor(bytes: number): boolean {
    return bytes - this.#mergedBytes > this.#room * atOnce && this.#progress() >= nearEnd;
  }
}

/** Part of the room that is there from the beginning. */
const atOnce = 0.5;
/** As long before the end as it takes to bring a memtable in order. */
const nearEnd = 0.9;
