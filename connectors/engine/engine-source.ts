import { Engine, type Store, type WalIterator } from '../../src/engine/index.js';
import {
  type Position,
  type Pulled,
  type PullLimit,
  requireSameHistory,
  type Source,
  type SourceBatch,
  type StartPoint,
  TailraceError,
} from '../../src/kit/index.js';

/**
 * The changes of an engine in the same process: its own, opened for it, or a store that the caller has open.
 * Only durable batches are delivered.
 */
export class EngineSource implements Source {
  readonly #open: () => Promise<Store>;
  readonly #isOwner: boolean;
  readonly #idleMs: number;
  #store: Store | undefined;
  #iterator: WalIterator | undefined;

  /** @param store an open store, which stays the caller's, or how to open one, which is then the source's */
  constructor(store: Store | (() => Promise<Store>), options: { idleMs?: number } = {}) {
    this.#open = typeof store === 'function' ? store : async () => store;
    this.#isOwner = typeof store === 'function';
    this.#idleMs = options.idleMs ?? defaultIdleMs;
  }

  async open(start: StartPoint): Promise<void> {
    this.#store ??= await this.#open();
    this.#iterator?.close();
    this.#iterator = this.#iteratorAt(this.#store, start);
  }

  async pull(limit: PullLimit, signal: AbortSignal): Promise<Pulled | null> {
    const store = this.#store;
    const iterator = this.#iterator;
    if (store === undefined || iterator === undefined) return null;
    if (!iterator.valid) {
      const idle = AbortSignal.any([signal, AbortSignal.timeout(this.#idleMs)]);
      const hasMore = await iterator.waitForMore(idle);
      signal.throwIfAborted();
      if (!hasMore) return idle.aborted ? { batches: [], latestSequence: store.durableSequence } : null;
      iterator.next();
    }
    return { batches: takeBatches(iterator, limit), latestSequence: store.durableSequence };
  }

  async acknowledge(): Promise<void> {
    // The engine keeps its whole log.
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#iterator?.close();
    this.#iterator = undefined;
    if (this.#isOwner && this.#store instanceof Engine) await this.#store.close();
    this.#store = undefined;
  }

  #iteratorAt(store: Store, start: StartPoint): WalIterator {
    if (start.kind === 'beginning') return store.walIterator(0);
    if (start.kind === 'latest') return store.walIterator(store.durableSequence);
    const { position } = start;
    const iterator = store.walIterator(position.sequence - position.count);
    requirePosition(iterator, position);
    return iterator;
  }
}

/** Moves the iterator behind the batch of `position`, which must be in the log as the position names it. */
const requirePosition = (iterator: WalIterator, position: Position): void => {
  // Batches without counted records may stand before it.
  while (iterator.valid && iterator.item.count === 0) iterator.next();
  if (!iterator.valid) {
    iterator.close();
    throw new TailraceError(
      'WAL_SEQUENCE_AHEAD',
      `the store has nothing at sequence number ${position.sequence}`,
      {
        context: { wanted: position.sequence },
        remedy: 'The store lost its newest writes, or is another one: reset the position.',
      },
    );
  }
  try {
    requireSameHistory(position, iterator.item);
  } catch (error) {
    iterator.close();
    throw error;
  }
  iterator.next();
};

/** Copies batches out of the iterator, as many as the limit allows, at least one. */
const takeBatches = (iterator: WalIterator, limit: PullLimit): SourceBatch[] => {
  const batches: SourceBatch[] = [];
  let bytes = 0;
  for (; iterator.valid && batches.length < limit.maxBatches; iterator.next()) {
    const { item } = iterator;
    if (batches.length > 0 && bytes + item.bytes.length > limit.maxBytes) break;
    bytes += item.bytes.length;
    batches.push({ sequence: item.sequence, count: item.count, bytes: Buffer.from(item.bytes) });
  }
  return batches;
};

const defaultIdleMs = 1_000;
