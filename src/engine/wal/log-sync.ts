import type { Files } from '../../files/index.js';
import { SequenceWaiters } from './sequence-waiters.js';

/**
 * Makes what is written to the log durable, beside the writes: who wants it waits, who writes goes on. Unless every write
 * is synced anyway it also syncs of its own accord whenever some has gathered, so that nobody finds much to wait for.
 *
 * One sync at a time: of two side by side the system would tell only one that something could not be written. None is
 * tried after one that failed: it may succeed although data is gone.
 */
export class LogSync {
  readonly #files: Files;
  readonly #gatheredBytes: number;
  readonly #onFailure: (cause: unknown) => void;
  readonly #waiters = new SequenceWaiters();
  #fd = -1;
  #writtenSequence: number;
  #syncedSequence: number;
  #unsyncedBytes = 0;
  #isDue = false;
  #running: Promise<void> | undefined;
  #failure: Error | undefined;

  /**
   * @param sequence up to which everything is durable
   * @param gatheredBytes how many bytes gather until they are synced though nobody waits; Infinity = any number
   */
  constructor(files: Files, sequence: number, gatheredBytes: number, onFailure: (cause: unknown) => void) {
    this.#files = files;
    this.#writtenSequence = sequence;
    this.#syncedSequence = sequence;
    this.#gatheredBytes = gatheredBytes;
    this.#onFailure = onFailure;
  }

  /** What is written from now on is in this file; all that was written to the one before is durable. */
  moveTo(fd: number): void {
    this.#fd = fd;
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

  /** Resolves when all that is written is durable and no sync is running. */
  async finish(): Promise<void> {
    while (this.#failure === undefined && (this.#running !== undefined || this.#unsyncedBytes > 0))
      await (this.#running ?? this.#begin());
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Ends it: whoever waits is told. */
  fail(error: Error): void {
    this.#failure ??= error;
    this.#waiters.fail(error);
  }

  get isRunning(): boolean {
    return this.#running !== undefined;
  }

  /** Resolves when no sync is running: also after a failure the file must not be closed before. */
  async whenIdle(): Promise<void> {
    while (this.#running !== undefined) await this.#running;
  }

  #syncIfWanted(): void {
    if (this.#running !== undefined || this.#unsyncedBytes === 0 || this.#failure !== undefined) return;
    const hasGathered = this.#unsyncedBytes >= this.#gatheredBytes;
    if (hasGathered || this.#isDue || this.#waiters.lowest <= this.#writtenSequence) void this.#begin();
  }

  #begin(): Promise<void> {
    this.#running = this.#sync();
    return this.#running;
  }

  async #sync(): Promise<void> {
    const sequence = this.#writtenSequence;
    this.#unsyncedBytes = 0;
    this.#isDue = false;
    try {
      await this.#files.datasync(this.#fd);
      this.#syncedSequence = sequence;
      this.#waiters.reach(sequence);
    } catch (cause) {
      this.#onFailure(cause);
    } finally {
      this.#running = undefined;
    }
    this.#syncIfWanted();
  }
}
