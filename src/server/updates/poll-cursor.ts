import { Decoder } from '../../data-model/index.js';
import type { Store, WalIterator } from '../../engine/index.js';
import { isTailraceError } from '../../errors/index.js';

/**
 * Where a client stands in the log. The iterator stays open between polls, so that going on from where the last poll
 * ended costs what is read and nothing more.
 */
export class PollCursor {
  /** Remembers what it has seen as long as polls go on from one another. */
  readonly decoder = new Decoder({ memoryBytes: decoderMemoryBytes });
  readonly #store: Store;
  #iterator: WalIterator | undefined;
  /** Last sequence number that was handed out. */
  #handedOut = -1;

  constructor(store: Store) {
    this.#store = store;
  }

  /**
   * An iterator that stands on the first batch after `sequence`, or is not valid at the tip. When the log no longer
   * has it, the first batch that is left.
   */
  after(sequence: number): WalIterator {
    if (this.#iterator === undefined || this.#handedOut !== sequence) {
      this.close();
      this.#iterator = this.#open(sequence);
    } else if (!this.#iterator.valid && !goesOn(this.#iterator)) {
      this.#iterator.close();
      this.#iterator = this.#open(sequence);
    }
    return this.#iterator;
  }

  /** Notes that everything up to `sequence` was handed out and the iterator stands behind it. */
  advance(sequence: number): void {
    this.#handedOut = sequence;
  }

  close(): void {
    this.#iterator?.close();
    this.#iterator = undefined;
    this.#handedOut = -1;
  }

  #open(sequence: number): WalIterator {
    try {
      return this.#store.walIterator(sequence);
    } catch (error) {
      if (!isTailraceError(error, 'WAL_PURGED')) throw error;
      return this.#store.walIterator(Number(error.context['first']) - 1);
    }
  }
}

/** Goes to the next batch; false when the log no longer has it. */
export const goesOn = (iterator: WalIterator): boolean => {
  try {
    iterator.next();
    return true;
  } catch (error) {
    if (!isTailraceError(error, 'WAL_PURGED')) throw error;
    return false;
  }
};

/** For each client that polls for decoded changes. */
const decoderMemoryBytes = 4 * 1024 * 1024;
