import { ColumnFamily, eachExpiry, expiryOf, isPast } from '../../data-model/index.js';
import { WriteBatchBuilder } from '../../write-batch/index.js';
import type { ServerState } from '../server-state.js';
import { ExpiryQueue } from './expiry-queue.js';

/**
 * Deletes expired keys in the log, so that whoever follows it learns of their end. Without it a key only stops being
 * seen when its time has come, as in Kvrocks, and the log says nothing.
 *
 * Keys whose time is near wait in a queue, filled by what is committed; a walk over all keys, a slice at a time, finds
 * those that the queue had no room for, whose time was far, or that were there before the server. Whether a key has
 * really expired is asked right before it is deleted: it may have been given more time, or be another key by now.
 */
export class ActiveExpiry implements Disposable {
  readonly #state: ServerState;
  readonly #queue = new ExpiryQueue(maxQueuedKeys);
  readonly #timer: NodeJS.Timeout;
  /** Where the walk goes on; undefined = at the first key. */
  #walkFrom: Buffer | undefined;
  #expiredKeys = 0;

  constructor(state: ServerState) {
    this.#state = state;
    this.#timer = setInterval(() => this.#tick(), tickMs);
    this.#timer.unref();
  }

  /** Keys deleted so far. */
  get expiredKeys(): number {
    return this.#expiredKeys;
  }

  /** Looks at a batch that was committed. */
  note(batch: Buffer): void {
    const horizonMs = this.#state.services.nowMs() + queueHorizonMs;
    eachExpiry(batch, (key, expireMs) => {
      if (expireMs <= horizonMs) this.#queue.push(expireMs, Buffer.from(key));
    });
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }

  #tick(): void {
    try {
      this.#expireQueued();
      this.#walk();
    } catch (error) {
      this[Symbol.dispose](); // a failed store takes no writes any more
      this.#state.options.onDefect(error, 'active expiry');
    }
  }

  #expireQueued(): void {
    const nowMs = this.#state.services.nowMs();
    const keys: Buffer[] = [];
    while (keys.length < maxKeysAtOnce && isPast(this.#queue.nextMs ?? Number.POSITIVE_INFINITY, nowMs)) {
      const key = this.#queue.pop();
      if (key !== undefined) keys.push(key);
    }
    this.#delete(keys, nowMs);
  }

  /** Looks at keys for some ms, and remembers where it stopped. */
  #walk(): void {
    const nowMs = this.#state.services.nowMs();
    const endMs = performance.now() + walkMs;
    const begin = this.#walkFrom;
    const iterator = this.#state.store.iterate({
      columnFamily: ColumnFamily.metadata,
      ...(begin === undefined ? {} : { begin }),
    });
    const expired: Buffer[] = [];
    this.#walkFrom = undefined;
    for (let seen = 0; iterator.valid; iterator.next()) {
      const { key, value } = iterator.item;
      if (expired.length >= maxKeysAtOnce || (++seen % 64 === 0 && performance.now() >= endMs)) {
        this.#walkFrom = Buffer.from(key);
        break;
      }
      const expireMs = expiryOf(value);
      if (expireMs === undefined) continue;
      if (isPast(expireMs, nowMs)) expired.push(Buffer.from(key));
    }
    iterator.close();
    this.#delete(expired, nowMs);
  }

  /** One batch for all of them. Sub-keys stay behind as with DEL: nobody can see them. */
  #delete(keys: readonly Buffer[], nowMs: number): void {
    const batch = new WriteBatchBuilder();
    for (const key of keys) {
      const value = this.#state.store.get(ColumnFamily.metadata, key);
      const expireMs = value === undefined ? undefined : expiryOf(value);
      if (expireMs !== undefined && isPast(expireMs, nowMs)) batch.delete(ColumnFamily.metadata, key);
    }
    if (batch.count === 0) return;
    this.#expiredKeys += batch.count;
    this.#state.commit(batch.finish());
    this.#state.blocked.serve();
  }
}

const tickMs = 100;
/** How long a tick may walk: a twentieth of the time. */
const walkMs = 5;
const maxKeysAtOnce = 1_000;
/** Keys that expire later are left to the walk, or to a later look. */
const queueHorizonMs = 10 * 60 * 1_000;
const maxQueuedKeys = 100_000;
