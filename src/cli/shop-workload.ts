import {
  CommandContext,
  commandServices,
  type DataCommand,
  dataCommands,
} from '../data-model/commands/index.js';
import type { Store } from '../engine/index.js';

/** A shop's writes: sessions that come and go, carts that fill, orders, counters. The same for the same seed. */
export class ShopWorkload {
  readonly #store: Store;
  readonly #context: CommandContext;
  #state: number;

  constructor(store: Store, seed: number) {
    this.#store = store;
    this.#context = new CommandContext(store, commandServices());
    this.#state = seed >>> 0;
  }

  /** Writes one command; returns how many changes it makes. */
  writeOne(): number {
    const user = this.#below(20_000);
    switch (this.#below(8)) {
      case 0:
      case 1:
        return this.#write(1, 'SET', `session:${user}`, this.#token(48), 'EX', '3600');
      case 2:
      case 3:
        return this.#write(1, 'HSET', `cart:${user}`, `item:${this.#below(500)}`, String(1 + this.#below(5)));
      case 4:
        return this.#write(
          3,
          'HSET',
          `order:${this.#below(1_000_000)}`,
          'user',
          String(user),
          'total',
          `${this.#below(50_000)}`,
          'state',
          'placed',
        );
      case 5:
        return this.#write(1, 'SET', `page:${this.#below(5_000)}`, this.#token(96));
      case 6:
        return this.#write(1, 'INCR', `visits:${this.#below(365)}`);
      default:
        return this.#write(1, 'DEL', `session:${user}`);
    }
  }

  #write(changes: number, ...words: string[]): number {
    const args = words.map((word) => Buffer.from(word));
    const command = dataCommands.get(words[0].toLowerCase()) as DataCommand;
    const { batch } = this.#context;
    this.#context.begin();
    command.run(this.#context, args);
    if (batch.count === 0) return 0;
    this.#store.commit(batch.finish());
    this.#context.settle();
    return changes;
  }

  #token(length: number): string {
    let text = '';
    while (text.length < length) text += this.#next().toString(36);
    return text.slice(0, length);
  }

  #below(limit: number): number {
    return this.#next() % limit;
  }

  /** xorshift32. */
  #next(): number {
    let state = this.#state || 0x9e3779b9;
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    this.#state = state >>> 0;
    return this.#state;
  }
}
