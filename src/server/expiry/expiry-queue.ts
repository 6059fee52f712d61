/** Keys by the time at which they expire, soonest first: a binary heap of bounded size. */
export class ExpiryQueue {
  readonly #maxKeys: number;
  readonly #times: number[] = [];
  readonly #keys: Buffer[] = [];

  constructor(maxKeys: number) {
    this.#maxKeys = maxKeys;
  }

  get size(): number {
    return this.#times.length;
  }

  /** The soonest time; undefined when there is none. */
  get nextMs(): number | undefined {
    return this.#times[0];
  }

  /** Takes over `key`. False when the queue is full: somebody else has to find the key. */
  push(timeMs: number, key: Buffer): boolean {
    if (this.#times.length >= this.#maxKeys) return false;
    let at = this.#times.length;
    this.#times.push(timeMs);
    this.#keys.push(key);
    for (let parent = (at - 1) >> 1; at > 0 && this.#times[parent] > timeMs; parent = (at - 1) >> 1) {
      this.#swap(at, parent);
      at = parent;
    }
    return true;
  }

  /** Removes the soonest key. */
  pop(): Buffer | undefined {
    const key = this.#keys[0];
    const time = this.#times.pop();
    const last = this.#keys.pop();
    if (time === undefined || last === undefined || this.#times.length === 0) return key;
    this.#times[0] = time;
    this.#keys[0] = last;
    for (let at = 0; ; ) {
      let smallest = at;
      for (const child of [2 * at + 1, 2 * at + 2])
        if (child < this.#times.length && this.#times[child] < this.#times[smallest]) smallest = child;
      if (smallest === at) return key;
      this.#swap(at, smallest);
      at = smallest;
    }
  }

  #swap(a: number, b: number): void {
    [this.#times[a], this.#times[b]] = [this.#times[b], this.#times[a]];
    [this.#keys[a], this.#keys[b]] = [this.#keys[b], this.#keys[a]];
  }
}
