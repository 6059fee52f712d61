import type { Store } from '../../src/engine/index.js';
import { Decoder, type Position, positionOf, type SinkBatch, type Transaction } from '../../src/kit/index.js';

/** Cuts the log of a store into what a pipeline would hand to a sink: each call takes what is new. */
export class SinkBatches {
  readonly #store: Store;
  readonly #decoder = new Decoder();
  #previous: Position | null = null;
  #sequence = 0;

  constructor(store: Store) {
    this.#store = store;
  }

  /** Everything that was written and not taken yet, at most `maxTransactions`. */
  async take(maxTransactions = Number.POSITIVE_INFINITY): Promise<SinkBatch> {
    await this.#store.whenDurable(this.#store.sequence);
    const transactions: Transaction[] = [];
    let position: Position | null = null;
    let byteLength = 0;
    const iterator = this.#store.walIterator(this.#sequence);
    for (; iterator.valid && transactions.length < maxTransactions; iterator.next()) {
      const { sequence, count } = iterator.item;
      const bytes = Buffer.from(iterator.item.bytes);
      transactions.push(this.#decoder.decode(bytes));
      if (count > 0) position = positionOf({ sequence, count, bytes });
      byteLength += bytes.length;
    }
    iterator.close();
    if (position === null) throw new Error('the store has nothing new');
    const batch = { transactions, position, previous: this.#previous, byteLength };
    this.#previous = position;
    this.#sequence = position.sequence;
    return batch;
  }
}
