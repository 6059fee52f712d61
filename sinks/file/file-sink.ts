import { existsSync, mkdirSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import {
  ByteWriter,
  type Claim,
  describeHolder,
  EventEncoder,
  inaccessible,
  isSamePosition,
  nodeFiles,
  type PluginContext,
  ProcessLock,
  type Sink,
  type SinkBatch,
  TailraceError,
  type WriteOutcome,
} from '../../src/kit/index.js';
import { PositionJournal, readLastEntry } from './position-journal.js';

export interface FileSinkOptions {
  /** The file of change events, one JSON object a line. */
  readonly path: string;
  /** Name of the source in the events. */
  readonly source: string;
  /** False leaves syncing to the operating system: a power cut may then lose the newest events, never tear them. */
  readonly sync: boolean;
}

/**
 * Change events as lines of JSON in one file, exactly once.
 *
 * Protocol. A commit is: append the events, sync the data, append the position to the journal beside it
 * (`<path>.position`), sync the journal. The journal's last whole record says how long the data is and which position
 * it holds; on start whatever lies behind that length is cut off. One process holds the file at a time, by a lock
 * that its death releases.
 */
export class FileSink implements Sink {
  readonly guarantee = 'exactly-once';
  readonly holdsPosition = true;
  readonly #path: string;
  readonly #options: FileSinkOptions;
  readonly #encoder: EventEncoder;
  readonly #journal: PositionJournal;
  readonly #out = new ByteWriter(256 * 1024);
  #lock: ProcessLock | undefined;
  #claim: Claim = { epoch: 0, position: null };
  #fd = -1;
  #dataBytes = 0;

  constructor(options: FileSinkOptions, context: PluginContext) {
    this.#options = options;
    this.#path = resolve(options.path);
    this.#encoder = new EventEncoder({ connector: 'tailrace', name: options.source || context.pipeline });
    this.#journal = new PositionJournal(dirname(this.#path), `${this.#path}.position`);
  }

  async claim(): Promise<Claim> {
    const directory = dirname(this.#path);
    try {
      mkdirSync(directory, { recursive: true });
    } catch (cause) {
      throw inaccessible(directory, cause);
    }
    this.#lock ??= await ProcessLock.acquire(
      `${this.#path}.lock`,
      (holder) =>
        new TailraceError('SINK_FENCED', `${this.#path} is being written by ${describeHolder(holder)}`, {
          context: { file: this.#path },
          remedy: 'Stop that process, or give this pipeline a file of its own.',
        }),
    );
    const last = readLastEntry(this.#journal.path);
    if (last === undefined && existsSync(this.#path) && statSync(this.#path).size > 0)
      throw new TailraceError(
        'SINK_FAILED',
        `${this.#path} exists, but not the journal that says what it holds`,
        {
          context: { file: this.#path },
          remedy: `Restore ${this.#journal.path}, or move the file away to start from the beginning.`,
        },
      );
    try {
      await this.#openData(last?.dataBytes ?? 0);
      this.#claim = { epoch: (last?.epoch ?? 0) + 1, position: last?.position ?? null };
      await this.#journal.restart({ dataBytes: this.#dataBytes, ...this.#claim });
    } catch (cause) {
      throw cause instanceof TailraceError ? cause : inaccessible(this.#path, cause);
    }
    return this.#claim;
  }

  async write(batch: SinkBatch, claim: Claim): Promise<WriteOutcome> {
    if (claim.epoch !== this.#claim.epoch || !isSamePosition(batch.previous, this.#claim.position))
      return { kind: 'fenced', error: new Error('the file was claimed again, or is at another position') };
    this.#out.clear();
    for (const transaction of batch.transactions) this.#encoder.append(this.#out, transaction);
    const { epoch } = this.#claim;
    try {
      await nodeFiles.write(this.#fd, this.#out.bytes, this.#dataBytes);
      if (this.#options.sync) await nodeFiles.datasync(this.#fd);
      const dataBytes = this.#dataBytes + this.#out.length;
      await this.#journal.append({ dataBytes, epoch, position: batch.position });
      this.#dataBytes = dataBytes;
    } catch (cause) {
      // After a failed write or sync nothing about the files is known any more; only a new start reads the truth.
      return { kind: 'fatal', error: inaccessible(this.#path, cause) };
    }
    this.#claim = { epoch, position: batch.position };
    return { kind: 'durable' };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#journal.close();
    if (this.#fd >= 0) await nodeFiles.close(this.#fd);
    this.#fd = -1;
    this.#lock?.release();
    this.#lock = undefined;
  }

  /** Opens the data file, cut to what the journal vouches for. */
  async #openData(length: number): Promise<void> {
    if (this.#fd < 0) {
      const isNew = !existsSync(this.#path);
      this.#fd = await nodeFiles.open(this.#path, isNew ? 'wx+' : 'r+');
      if (isNew) await nodeFiles.syncDirectory(dirname(this.#path));
    }
    const { size } = statSync(this.#path);
    if (size < length)
      throw new TailraceError('SINK_FAILED', `${this.#path} has ${size} bytes, its journal says ${length}`, {
        context: { file: this.#path, size, expected: length },
        remedy: 'The file was cut or replaced by someone else: restore it, or move it and its journal away.',
      });
    if (size > length) {
      await nodeFiles.truncate(this.#fd, length);
      await nodeFiles.datasync(this.#fd);
    }
    this.#dataBytes = length;
  }
}
