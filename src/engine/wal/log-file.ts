import { dirname } from 'node:path';
import { type Files, inaccessible } from '../../files/index.js';
import { closeAll } from '../close-all.js';
import type { SyncMode } from '../engine-api.js';
import { LogSync } from './log-sync.js';
import type { WalSegment } from './segment.js';
import { type SegmentSeals, sealOf } from './segment-seals.js';

/**
 * The file that the log is written to: its newest segment. One operation at a time, but for the syncs that run beside.
 *
 * A segment is synced before the first byte of the next one is written, so a crash can only cut a suffix of the log. It is
 * sealed while the next one is written to already, of which nothing counts as durable before that is done.
 */
export class LogFile {
  readonly #files: Files;
  readonly #seals: SegmentSeals;
  readonly #isSyncedAlways: boolean;
  readonly #onFailure: (cause: unknown) => void;
  readonly #sync: LogSync;
  #segment: WalSegment | undefined;
  /** Of the newest segment: one to write and sync, and one for syncs that somebody waits for while another is running. */
  #descriptors: readonly number[] = [];
  /** Of the segment before, which is let go then; the name of the newest is durable with it. */
  #sealing: Promise<void> = Promise.resolve();
  /** Until when writes beside a sync are left to another thread, by the clock of `performance`. */
  #isSlowUntilMs = 0;

  /**
   * @param sequence up to which the log is durable
   * @param onFailure told when something has failed that nobody waits for here
   */
  constructor(
    files: Files,
    seals: SegmentSeals,
    mode: SyncMode,
    sequence: number,
    onFailure: (cause: unknown) => void,
  ) {
    this.#files = files;
    this.#seals = seals;
    this.#isSyncedAlways = mode === 'always';
    this.#onFailure = onFailure;
    this.#sync = new LogSync(
      files,
      sequence,
      this.#isSyncedAlways ? Number.POSITIVE_INFINITY : gatheredBytes,
      onFailure,
    );
  }

  /** Goes on to a segment whose file is not there yet. */
  async begin(segment: WalSegment): Promise<void> {
    const finished = this.#segment;
    if (finished !== undefined) await this.#sync.finish();
    await this.#sealing;
    const descriptors = await this.#open(segment.path);
    this.#sealing =
      finished === undefined
        ? this.#files.syncDirectory(dirname(segment.path))
        : this.#seal(finished, this.#descriptors);
    this.#sealing.catch(this.#onFailure);
    this.#segment = segment;
    this.#descriptors = descriptors;
    this.#sync.moveTo(descriptors, this.#sealing);
  }

  async #open(path: string): Promise<readonly number[]> {
    const fd = await this.#files.open(path, 'wx+');
    if (this.#isSyncedAlways) return [fd];
    try {
      return [fd, await this.#files.open(path, 'r+')];
    } catch (error) {
      await this.#files.close(fd);
      throw error;
    }
  }

  async #seal(segment: WalSegment, descriptors: readonly number[]): Promise<void> {
    await this.#closeBoth(segment.path, descriptors);
    await this.#seals.add(sealOf(segment));
  }

  /** Resolves when all segments but the newest are sealed. */
  async whenSealed(): Promise<void> {
    await this.#sealing;
  }

  /** Writes bytes that end with the batch of `lastSequence`; they are as durable as the sync mode promises when it resolves. */
  async write(bytes: Uint8Array, offset: number, lastSequence: number): Promise<void> {
    if (this.#isQuick(bytes)) await this.#writeHere(bytes, offset);
    else await this.#files.write(this.#descriptors[0], bytes, offset);
    this.#sync.wrote(bytes.length, lastSequence);
    if (this.#isSyncedAlways) await this.#sync.finish();
  }

  /** Beside a sync a write may have to wait for the disk: if that has been seen, it is left to another thread for a while. */
  #isQuick(bytes: Uint8Array): boolean {
    if (bytes.length > fewBytes || this.#isSyncedAlways) return false;
    return !this.#sync.isRunning || performance.now() >= this.#isSlowUntilMs;
  }

  async #writeHere(bytes: Uint8Array, offset: number): Promise<void> {
    if (!this.#sync.isRunning) return this.#files.writeFew(this.#descriptors[0], bytes, offset);
    const start = performance.now();
    const written = this.#files.writeFew(this.#descriptors[0], bytes, offset);
    const end = performance.now();
    if (end - start > slowWriteMs) this.#isSlowUntilMs = end + slowForMs;
    await written;
  }

  /** Last sequence number that is durable. */
  get syncedSequence(): number {
    return this.#sync.syncedSequence;
  }

  /** Resolves when everything up to `sequence` is durable, which may not be written yet. */
  whenSynced(sequence: number): Promise<void> {
    return this.#sync.whenSynced(sequence);
  }

  /** Resolves when what is written by now is durable. */
  whenWrittenIsSynced(): Promise<void> {
    return this.#sync.whenWrittenIsSynced();
  }

  /** Sees to it that what is written becomes durable. */
  syncSoon(): void {
    this.#sync.syncSoon();
  }

  /** Syncs and seals what is there. */
  async finish(): Promise<void> {
    if (this.#segment === undefined) return;
    await this.#sync.finish();
    await this.#sealing;
    await this.#seals.add(sealOf(this.#segment));
  }

  /** The log has failed: no more syncs are tried, and whoever waits for one is told. */
  fail(error: Error): void {
    this.#sync.fail(error);
  }

  /** Releases the file, as it is. Idempotent. */
  async close(): Promise<void> {
    await this.#sync.whenIdle();
    await this.#sealing.catch(() => {}); // the log has failed then
    const descriptors = this.#descriptors;
    this.#descriptors = [];
    await this.#closeBoth(this.#segment?.path ?? '', descriptors);
  }

  async #closeBoth(path: string, descriptors: readonly number[]): Promise<void> {
    try {
      await closeAll(descriptors.map((fd) => () => this.#files.close(fd)));
    } catch (cause) {
      throw inaccessible(path, cause);
    }
  }
}

/**
 * Copied into the system's memory in some 60 us, a tenth of what a turn of the loop takes that gathers so many. Another
 * thread would have to be woken, which all who wait for the write would pay for, and on a busy machine needs a core.
 */
const fewBytes = 256 * 1024;

/** Written by a good disk in some milliseconds, which then is what a sync on demand takes under load. */
const gatheredBytes = 1024 * 1024;

/** Where a write took so long there was something to wait for, and so there probably is again soon. */
const slowWriteMs = 2;
const slowForMs = 1_000;
