import { Engine, type Store, type WalIterator } from '../../src/engine/index.js';
import {
  type Finding,
  isTailraceError,
  type Position,
  type Pulled,
  type PullLimit,
  positionOf,
  type Retention,
  requireSameHistory,
  type Source,
  type SourceBatch,
  type StartPoint,
  TailraceError,
  withDeadline,
} from '../../src/kit/index.js';

/** A store to read from, until it is given back. */
export interface BorrowedStore {
  readonly store: Store;
  readonly giveBack: () => Promise<void>;
}

/**
 * The changes of an engine in the same process: its own, opened for it, or a store that the caller has open.
 * Only durable batches are delivered.
 */
export class EngineSource implements Source {
  readonly #open: () => Promise<BorrowedStore>;
  readonly #idleMs: number;
  readonly #slot: string | undefined;
  readonly #check: (() => Promise<readonly Finding[]>) | undefined;
  #store: Store | undefined;
  #giveBack: (() => Promise<void>) | undefined;
  #iterator: WalIterator | undefined;

  /**
   * @param store an open store, which stays the caller's, or how to get one that is given back in the end
   * @param options `slot`: the name under which an `Engine` keeps its log for this source
   */
  constructor(
    store: Store | (() => Promise<BorrowedStore>),
    options: { idleMs?: number; slot?: string; check?: () => Promise<readonly Finding[]> } = {},
  ) {
    this.#open =
      typeof store === 'function' ? store : async () => ({ store, giveBack: async () => undefined });
    this.#idleMs = options.idleMs ?? defaultIdleMs;
    this.#slot = options.slot;
    this.#check = options.check;
  }

  async open(start: StartPoint): Promise<void> {
    const store = await this.#opened();
    this.#iterator?.close();
    this.#iterator = this.#iteratorAt(store, start);
    if (this.#slot !== undefined && store instanceof Engine)
      await store.slots.register(this.#slot, sequenceBehind(store, start));
  }

  /** undefined when the log no longer has that batch. */
  async newestPosition(): Promise<Position | null | undefined> {
    const store = await this.#opened();
    const newest = store.durableSequence;
    if (newest === 0) return null;
    try {
      for (const batch of store.walIterator(newest - 1)) if (batch.count > 0) return positionOf(batch);
    } catch (error) {
      if (!isTailraceError(error, 'WAL_PURGED')) throw error;
    }
    return undefined;
  }

  async pull(limit: PullLimit, signal: AbortSignal): Promise<Pulled | null> {
    signal.throwIfAborted();
    const store = this.#store;
    const iterator = this.#iterator;
    if (store === undefined || iterator === undefined) return null;
    if (!iterator.valid) {
      const hasMore = await hasMoreWithin(iterator, this.#idleMs, signal);
      signal.throwIfAborted();
      if (hasMore === undefined) return { batches: [], latestSequence: store.durableSequence };
      if (!hasMore) return null;
      iterator.next();
    }
    return { batches: takeBatches(iterator, limit), latestSequence: store.durableSequence };
  }

  /** Lets the store remove what lies before the batch of `position`. */
  async acknowledge({ sequence }: Position): Promise<void> {
    if (this.#slot !== undefined && this.#store instanceof Engine)
      this.#store.slots.acknowledge(this.#slot, sequence);
  }

  async retention(): Promise<Retention> {
    const store = this.#store;
    if (store === undefined) return {};
    const latestSequence = store.durableSequence;
    if (!(store instanceof Engine)) return { latestSequence };
    return { firstSequence: store.stats().firstLogSequence, latestSequence };
  }

  async check(): Promise<readonly Finding[]> {
    return (await this.#check?.()) ?? [{ name: 'store', status: 'ok', detail: 'open in this process' }];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#iterator?.close();
    this.#iterator = undefined;
    this.#store = undefined;
    const giveBack = this.#giveBack;
    this.#giveBack = undefined;
    await giveBack?.();
  }

  async #opened(): Promise<Store> {
    if (this.#store === undefined) {
      const { store, giveBack } = await this.#open();
      this.#store = store;
      this.#giveBack = giveBack;
    }
    return this.#store;
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

const sequenceBehind = (store: Store, start: StartPoint): number => {
  if (start.kind === 'beginning') return 0;
  return start.kind === 'latest' ? store.durableSequence : start.position.sequence;
};

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

/** False when the store closes or the signal aborts, undefined when nothing came in time. */
const hasMoreWithin = (
  iterator: WalIterator,
  idleMs: number,
  signal: AbortSignal,
): Promise<boolean | undefined> =>
  withDeadline(idleMs, [signal], async (limit) => {
    if (await iterator.waitForMore(limit)) return true;
    const isIdle = limit.aborted && limit.reason !== signal.reason;
    return isIdle ? undefined : false;
  });

/**
 * Copies batches out of the iterator, as many as the limit allows, at least one. They share pieces of memory, which
 * begin small so that a single batch at the tip keeps little alive. Hot; measured by bench `redis-sink`.
 */
const takeBatches = (iterator: WalIterator, limit: PullLimit): SourceBatch[] => {
  const batches: SourceBatch[] = [];
  let takenBytes = 0;
  let memory = noBytes;
  let end = 0;
  let pieceBytes = smallestPieceBytes;
  for (; iterator.valid && batches.length < limit.maxBatches; iterator.next()) {
    const { sequence, count, bytes } = iterator.item;
    if (batches.length > 0 && takenBytes + bytes.length > limit.maxBytes) break;
    takenBytes += bytes.length;
    if (end + bytes.length > memory.length) {
      memory = Buffer.allocUnsafeSlow(Math.max(pieceBytes, bytes.length));
      end = 0;
      pieceBytes = Math.min(pieceBytes * 4, largestPieceBytes);
    }
    memory.set(bytes, end);
    batches.push({ sequence, count, bytes: memory.subarray(end, end + bytes.length) });
    end += bytes.length;
  }
  return batches;
};

const noBytes = Buffer.alloc(0);
const smallestPieceBytes = 4 * 1024;
const largestPieceBytes = 256 * 1024;
const defaultIdleMs = 1_000;
