import process from 'node:process';

/** A small reproducible generator (mulberry32): the same seed gives the same numbers on every machine. */
export class SeededRandom {
  readonly seed: number;
  #state: number;

  constructor(seed: number) {
    this.seed = seed >>> 0;
    this.#state = this.seed;
  }

  /** A seed from `SEED` in the environment, else a new one; printed, so that a failure can be replayed. */
  static fromEnvironment(what: string): SeededRandom {
    const seed =
      process.env['SEED'] === undefined
        ? Math.floor(Math.random() * 0x1_0000_0000)
        : Number(process.env['SEED']);
    console.log(`${what}: SEED=${seed}`);
    return new SeededRandom(seed);
  }

  /** A generator of its own, for work that goes on beside this one and must not disturb its numbers. */
  fork(): SeededRandom {
    return new SeededRandom(this.below(2 ** 32));
  }

  /** In [0, 1). */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = this.#state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000;
  }

  /** A whole number in [0, limit). */
  below(limit: number): number {
    return Math.floor(this.next() * limit);
  }

  pick<Item>(items: readonly Item[]): Item {
    return items[this.below(items.length)];
  }

  /** Random bytes, any value. */
  bytes(length: number): Buffer {
    const bytes = Buffer.allocUnsafe(length);
    for (let i = 0; i < length; i++) bytes[i] = this.below(256);
    return bytes;
  }
}
