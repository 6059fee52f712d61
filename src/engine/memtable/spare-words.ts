/**
 * Arrays of words that nobody uses, for who needs one next. What is made anew lies outside of the heap, and for each few
 * MiB of that the engine of JavaScript looks through its whole heap, for which writers wait.
 */
export class SpareWords {
  readonly #mostWaste: number;
  /** Whole pieces of memory. */
  readonly #spare: Int32Array[] = [];

  /** @param mostWaste a piece that is so many times larger than what is needed is left to who needs more of it */
  constructor(mostWaste: number) {
    this.#mostWaste = mostWaste;
  }

  get byteLength(): number {
    return this.#spare.reduce((total, { byteLength }) => total + byteLength, 0);
  }

  /** So many words: the smallest piece that has room for them without being wasted. */
  take(length: number): Int32Array {
    const spare = this.#spare;
    let best = -1;
    for (let i = 0; i < spare.length; i++) {
      const has = spare[i].length;
      if (has < length || has >= length * this.#mostWaste) continue;
      if (best < 0 || has < spare[best].length) best = i;
    }
    const piece = best < 0 ? new Int32Array(roundedUp(length)) : spare.splice(best, 1)[0];
    return piece.length === length ? piece : piece.subarray(0, length);
  }

  give(words: Int32Array): void {
    const { buffer } = words;
    if (buffer.byteLength < leastKeptBytes) return;
    this.#spare.push(words.byteLength === buffer.byteLength ? words : new Int32Array(buffer));
    if (this.#spare.length <= mostKept) return;
    this.#spare.sort((a, b) => b.length - a.length).pop();
  }
}

/** To a quarter of a power of two, so that what is needed next, about as much, fits too. */
const roundedUp = (length: number): number => {
  const step = Math.max(1, 2 ** Math.floor(Math.log2(Math.max(1, length - 1)) - 2));
  return Math.ceil(length / step) * step;
};

/** Smaller ones are made anew at no cost. */
const leastKeptBytes = 64 * 1024;
/** Of those that are used together; the smallest is let go. */
const mostKept = 16;
