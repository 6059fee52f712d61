import type { Files } from '../../files/index.js';
import { SequenceWaiters } from './sequence-waiters.js';

/**
 * Makes what is written to the log durable, beside the writes: who wants it waits, who writes goes on. Unless every write
 * is synced anyway it also syncs of its own accord whenever some has gathered, so that nobody finds much to wait for; and
 * who waits does not wait for such a sync to end first, but has one of its own begun beside it.
 *
 * One sync at a time for each descriptor: of two side by side the system would tell only one that something could not be
 * written, while it tells each descriptor. None is tried after one that failed: it may succeed although data is gone.
 */
export class LogSync {
  readonly #files: Files;
  readonly #gatheredBytes: number;
  readonly #onFailure: (cause: unknown) => void;
  readonly #waiters = new SequenceWaiters();
  /** Those that no sync is running on. */
  #idle: number[] = [];
  readonly #running = new Set<Promise<void>>();
  #named: Promise<void> = Promise.resolve();
  #writtenSequence: number;
  /** Up to which the syncs that were begun reach. */
  #begunSequence: number;
  #syncedSequence: number;
  #unsyncedBytes = 0;
  #isDue = false;
  #failure: Error | undefined;

  /**
   * @param sequence up to which everything is durable
   * @param gatheredBytes how many bytes gather until they are synced though nobody waits; Infinity = any number
   */
  constructor(files: Files, sequence: number, gatheredBytes: number, onFailure: (cause: unknown) => void) {
    this.#files = files;
    this.#writtenSequence = sequence;
    this.#begunSequence = sequence;
    this.#syncedSequence = sequence;
    this.#gatheredBytes = gatheredBytes;
    this.#onFailure = onFailure;
  }

  /** Last sequence number that is durable. */
  get syncedSequence(): number {
    return this.#syncedSequence;
  }

  /**
   * What is written from now on is in this file, open once or twice; all that was written to the one before is durable.
   * `named`: the file is found by its name after a crash.
   */
  moveTo(descriptors: readonly number[], named: Promise<void>): void {
    this.#idle = [...descriptors];
    this.#named = named;
  }

  /** So many bytes more are written, up to a sequence number. */
  wrote(bytes: number, sequence: number): void {
    this.#writtenSequence = sequence;
    this.#unsyncedBytes += bytes;
    this.#syncIfWanted();
  }

  /** Resolves when everything up to `sequence` is durable, which may not be written yet. */
  whenSynced(sequence: number): Promise<void> {
    if (sequence <= this.#syncedSequence) return Promise.resolve();
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    const synced = this.#waiters.until(sequence);
    this.#syncIfWanted();
    return synced;
  }

  /** Sees to it that what is written becomes durable, for nobody in particular. */
  syncSoon(): void {
    this.#isDue = this.#unsyncedBytes > 0;
    this.#syncIfWanted();
  }

  /** Resolves when what is written by now is durable, whatever sequence numbers it has or has not. */
  async whenWrittenIsSynced(): Promise<void> {
    this.syncSoon();
    while (this.#isDue && this.isRunning) await Promise.race(this.#running);
    await Promise.all(this.#running);
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Resolves when all that is written is durable and no sync is running. */
  async finish(): Promise<void> {
    while (this.#failure === undefined && (this.isRunning || this.#unsyncedBytes > 0)) {
      if (this.#unsyncedBytes > 0 && !this.isRunning) this.#begin();
      await this.whenIdle();
    }
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Ends it: whoever waits is told. */
  fail(error: Error): void {
    this.#failure ??= error;
    this.#waiters.fail(error);
  }

  get isRunning(): boolean {
    return this.#running.size > 0;
  }

  /** Resolves when no sync is running: also after a failure the file must not be closed before. */
  async whenIdle(): Promise<void> {
    while (this.isRunning) await Promise.all(this.#running);
  }

  #syncIfWanted(): void {
    if (this.#unsyncedBytes === 0 || this.#failure !== undefined || this.#idle.length === 0) return;
    const hasGathered = this.#unsyncedBytes >= this.#gatheredBytes || this.#isDue;
    const isAwaited = this.#waiters.lowestBehind(this.#begunSequence) <= this.#writtenSequence;
    if (isAwaited || (hasGathered && !this.isRunning)) this.#begin();
  }

  #begin(): void {
    const fd = this.#idle.shift();
    if (fd === undefined) return;
    const sync = this.#sync(fd, this.#writtenSequence).then(() => {
      this.#running.delete(sync);
      this.#idle.push(fd);
      this.#syncIfWanted();
    });
    this.#running.add(sync);
  }

  async #sync(fd: number, sequence: number): Promise<void> {
    this.#begunSequence = sequence;
    this.#unsyncedBytes = 0;
    this.#isDue = false;
    try {
      await this.#files.datasync(fd);
      await this.#named;
      this.#syncedSequence = Math.max(this.#syncedSequence, sequence);
      this.#waiters.reach(sequence);
    } catch (cause) {
      this.#onFailure(cause);
    }
  }
}
