import { dirname } from 'node:path';
import type { Files } from '../../files/index.js';
import type { SyncMode } from '../engine-api.js';
import { LogSync } from './log-sync.js';
import type { WalSegment } from './segment.js';
import { type SegmentSeals, sealOf } from './segment-seals.js';

/**
 * The file that the log is written to: its newest segment. One operation at a time, but for the syncs that run beside.
 *
 * A segment is synced and sealed before the first byte of the next one is written, so a crash can only cut a suffix of
 * the log.
 */
export class LogFile {
  readonly #files: Files;
  readonly #seals: SegmentSeals;
  readonly #isSyncedAlways: boolean;
  readonly #sync: LogSync;
  #segment: WalSegment | undefined;
  #fd = -1;

  /**
   * @param sequence up to which the log is durable
   * @param onFailure told when a sync that nobody waits for here has failed
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
    const finishedFd = this.#fd;
    if (finished !== undefined) await this.#sync.finish();
    this.#fd = await this.#files.open(segment.path, 'wx+');
    this.#segment = segment;
    this.#sync.moveTo(this.#fd);
    if (finished === undefined) {
      await this.#files.syncDirectory(dirname(segment.path));
      return;
    }
    await this.#files.close(finishedFd);
    await this.#seals.add(sealOf(finished)); // and with it the new name is durable
  }

  /** Writes bytes that end with the batch of `lastSequence`; they are as durable as the sync mode promises when it resolves. */
  async write(bytes: Uint8Array, offset: number, lastSequence: number): Promise<void> {
    if (this.#isQuick(bytes)) await this.#files.writeFew(this.#fd, bytes, offset);
    else await this.#files.write(this.#fd, bytes, offset);
    this.#sync.wrote(bytes.length, lastSequence);
    if (this.#isSyncedAlways) await this.#sync.finish();
  }

  /** Beside a sync a write may have to wait for the disk. */
  #isQuick(bytes: Uint8Array): boolean {
    return bytes.length <= fewBytes && !this.#isSyncedAlways && !this.#sync.isRunning;
  }

  /** Resolves when everything up to `sequence` is durable, which may not be written yet. */
  whenSynced(sequence: number): Promise<void> {
    return this.#sync.whenSynced(sequence);
  }

  /** Sees to it that what is written becomes durable. */
  syncSoon(): void {
    this.#sync.syncSoon();
  }

  /** Syncs and seals what is there. */
  async finish(): Promise<void> {
    if (this.#segment === undefined) return;
    await this.#sync.finish();
    await this.#seals.add(sealOf(this.#segment));
  }

  /** The log has failed: no more syncs are tried, and whoever waits for one is told. */
  fail(error: Error): void {
    this.#sync.fail(error);
  }

  /** Releases the file, as it is. Idempotent. */
  async close(): Promise<void> {
    await this.#sync.whenIdle();
    const fd = this.#fd;
    this.#fd = -1;
    if (fd >= 0) await this.#files.close(fd);
  }
}

/** Copied into the system's memory in some 30 us, less than what it costs to let another thread do it. */
const fewBytes = 64 * 1024;

/** Written by a good disk in some milliseconds, which then is what a sync on demand takes under load. */
const gatheredBytes = 1024 * 1024;
