import { findLogDirectory, LogDirectoryReader, type LoggedBatch } from '../../src/engine/index.js';
import {
  carrySlots,
  type Finding,
  metadataKeysOf,
  type Position,
  type Pulled,
  type PullLimit,
  positionOf,
  requireSameHistory,
  type Source,
  type SourceBatch,
  type StartPoint,
  TailraceError,
} from '../../src/kit/index.js';

/** Settings of the source `wal`. */
export interface WalSourceOptions {
  /**
   * A directory of RocksDB log files: of a store of ours, of a Kvrocks (its data directory, or the folder `db` in it),
   * or nothing else.
   */
  readonly path: string;
  /** False ends at the last whole batch; true waits for more. */
  readonly follow: boolean;
  /** How often to look for more while there is nothing, in ms. */
  readonly pollMs: number;
}

/** The changes in a directory of RocksDB log files, which another process may be writing. */
export class WalSource implements Source {
  readonly #options: WalSourceOptions;
  #reader: LogDirectoryReader | undefined;
  #latestSequence = 0;
  #hasSlots = false;
  /** A batch that was read but did not fit the last pull. Owned. */
  #held: SourceBatch | undefined;

  constructor(options: WalSourceOptions) {
    this.#options = options;
  }

  get hasSlots(): boolean {
    return this.#hasSlots;
  }

  async open(start: StartPoint): Promise<void> {
    this.#reader?.close();
    this.#held = undefined;
    this.#latestSequence = 0;
    this.#hasSlots = carrySlots(firstMetadataKeys(findLogDirectory(this.#options.path)));
    this.#reader = this.#readerAt(start);
  }

  async newestPosition(): Promise<Position | null> {
    const reader = new LogDirectoryReader(findLogDirectory(this.#options.path), 0);
    try {
      let newest: Position | null = null;
      for (let batch = reader.next(); batch !== undefined; batch = reader.next())
        if (batch.count > 0) newest = positionOf(batch);
      return newest;
    } finally {
      reader.close();
    }
  }

  async pull(limit: PullLimit, signal: AbortSignal): Promise<Pulled | null> {
    const reader = this.#reader;
    if (reader === undefined) return null;
    signal.throwIfAborted();
    const batches = this.#take(reader, limit);
    if (batches.length === 0) {
      if (!this.#options.follow) return null;
      await reader.waitForMore(signal, this.#options.pollMs);
    }
    return { batches, latestSequence: this.#latestSequence };
  }

  async acknowledge(): Promise<void> {
    // The files belong to whoever writes them.
  }

  async check(): Promise<readonly Finding[]> {
    const reader = new LogDirectoryReader(findLogDirectory(this.#options.path), 0);
    try {
      const first = reader.next();
      const detail =
        first === undefined ? 'the log is empty' : `the log begins at sequence number ${first.sequence}`;
      return [{ name: 'log', status: 'ok', detail }];
    } finally {
      reader.close();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#reader?.close();
    this.#reader = undefined;
  }

  #readerAt(start: StartPoint): LogDirectoryReader {
    const path = findLogDirectory(this.#options.path);
    if (start.kind === 'beginning') return new LogDirectoryReader(path, 0);
    if (start.kind === 'latest') {
      const reader = new LogDirectoryReader(path, 0);
      while (reader.next() !== undefined);
      return reader;
    }
    const { position } = start;
    // Behind a snapshot whose batch the log no longer has: nothing can be compared, and nothing may be missing.
    if (position.count === 0) return new LogDirectoryReader(path, position.sequence + 1);
    const reader = new LogDirectoryReader(path, position.sequence - position.count + 1);
    try {
      requirePosition(reader, position, path);
    } catch (error) {
      reader.close();
      throw error;
    }
    return reader;
  }

  #take(reader: LogDirectoryReader, limit: PullLimit): SourceBatch[] {
    const batches: SourceBatch[] = [];
    let bytes = 0;
    while (batches.length < limit.maxBatches) {
      const batch = this.#held ?? owned(reader.next());
      this.#held = undefined;
      if (batch === undefined) break;
      if (batches.length > 0 && bytes + batch.bytes.length > limit.maxBytes) {
        this.#held = batch;
        break;
      }
      bytes += batch.bytes.length;
      batches.push(batch);
      this.#latestSequence = Math.max(this.#latestSequence, batch.sequence + batch.count - 1);
    }
    return batches;
  }
}

/** The metadata keys at the beginning of a log. */
function* firstMetadataKeys(path: string): Generator<Buffer, void> {
  const reader = new LogDirectoryReader(path, 0);
  try {
    for (let looked = 0; looked < batchesToLookAt; looked++) {
      const batch = reader.next();
      if (batch === undefined) return;
      yield* metadataKeysOf(batch.bytes);
    }
  } finally {
    reader.close();
  }
}

/** Some that change no metadata may come first. */
const batchesToLookAt = 10_000;

const owned = (batch: LoggedBatch | undefined): SourceBatch | undefined =>
  batch && { sequence: batch.sequence, count: batch.count, bytes: Buffer.from(batch.bytes) };

/** Reads up to and including the batch of `position`, which must be there as the position names it. */
const requirePosition = (reader: LogDirectoryReader, position: Position, path: string): void => {
  for (let batch = reader.next(); batch !== undefined; batch = reader.next()) {
    if (batch.count === 0) continue;
    requireSameHistory(position, batch);
    return;
  }
  throw new TailraceError(
    'WAL_SEQUENCE_AHEAD',
    `the log files of ${path} end before sequence number ${position.sequence}`,
    {
      context: { directory: path, wanted: position.sequence },
      remedy: 'These are files of another store, or its newest ones are missing.',
    },
  );
};
