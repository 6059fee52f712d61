interface Waiter {
  readonly sequence: number;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/** Those who wait until a sequence number is reached. */
export class SequenceWaiters {
  #waiters: Waiter[] = [];

  /** The lowest sequence number behind a given one that is waited for; Infinity when none is. */
  lowestBehind(after: number): number {
    let lowest = Number.POSITIVE_INFINITY;
    for (const { sequence } of this.#waiters) if (sequence > after) lowest = Math.min(lowest, sequence);
    return lowest;
  }

  /** Resolves at the next `reach` of this number or a higher one; rejects at the next `fail`. */
  until(sequence: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiters.push({ sequence, resolve, reject });
    });
  }

  reach(reached: number): void {
    const waiters = this.#waiters;
    if (waiters.length === 0) return;
    this.#waiters = [];
    for (const waiter of waiters) {
      if (waiter.sequence <= reached) waiter.resolve();
      else this.#waiters.push(waiter);
    }
  }

  fail(error: Error): void {
    for (const { reject } of this.#waiters.splice(0)) reject(error);
  }
}
