import { setTimeout as delay } from 'node:timers/promises';
import {
  type Finding,
  inaccessible,
  type Logger,
  type PluginContext,
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
import { EventBatches } from './event-batches.js';
import { identityOf, listEventFiles } from './event-files.js';
import { LineReader } from './line-reader.js';

/** Settings of the source `file`. */
export interface FileSourceOptions {
  /** A file of change events, as the file sink is told; the files that it rotated are read too, compressed or not. */
  readonly path: string;
  /** False ends at the last whole transaction; true waits for more. */
  readonly follow: boolean;
  /** How often to look for more while there is nothing, in ms. */
  readonly pollMs: number;
}

/**
 * Change events from the files of a file sink, to deliver them again. The batches are transactions of the file: their
 * bytes are the lines, and where the file was filtered there are gaps between their sequence numbers.
 */
export class FileSource implements Source {
  readonly #options: FileSourceOptions;
  readonly #log: Logger;
  #batches: AsyncGenerator<SourceBatch | 'end'> | undefined;
  /** Read, but not pulled yet. */
  #held: SourceBatch | undefined;
  #latestSequence = 0;

  constructor(options: FileSourceOptions, { log }: PluginContext) {
    this.#options = options;
    this.#log = log;
  }

  async open(start: StartPoint): Promise<void> {
    await this[Symbol.asyncDispose]();
    this.#batches = this.#read();
    this.#held = undefined;
    this.#latestSequence = 0;
    if (start.kind === 'beginning') return;
    if (start.kind === 'latest') while ((await this.#next()) !== undefined);
    else await this.#skipTo(start.position);
  }

  /** Reads everything: the session begins anew when it is opened. */
  async newestPosition(): Promise<Position | null> {
    await this.open({ kind: 'beginning' });
    let newest: SourceBatch | undefined;
    for (let batch = await this.#next(); batch !== undefined; batch = await this.#next()) newest = batch;
    return newest === undefined ? null : positionOf(newest);
  }

  async pull(limit: PullLimit, signal: AbortSignal): Promise<Pulled | null> {
    signal.throwIfAborted();
    const batches: SourceBatch[] = [];
    let bytes = 0;
    while (batches.length < limit.maxBatches) {
      const batch = await this.#next();
      if (batch === undefined) break;
      if (batches.length > 0 && bytes + batch.bytes.length > limit.maxBytes) {
        this.#held = batch;
        break;
      }
      bytes += batch.bytes.length;
      batches.push(batch);
    }
    if (batches.length === 0) {
      if (!this.#options.follow) return null;
      await delay(this.#options.pollMs, undefined, { signal });
    }
    return { batches, latestSequence: this.#latestSequence };
  }

  async acknowledge(): Promise<void> {
    // The files belong to whoever wrote them.
  }

  async check(): Promise<readonly Finding[]> {
    const files = listEventFiles(this.#options.path);
    if (files.length === 0) {
      const { message, remedy } = missing(this.#options.path);
      return [{ name: 'files', status: 'fail', detail: message, remedy }];
    }
    await this.open({ kind: 'beginning' });
    await this.#next(); // it must be a file that may be read, and begin with an event
    return [{ name: 'files', status: 'ok', detail: files.join(', ') }];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#batches?.return(undefined);
    this.#batches = undefined;
  }

  /** The next batch; undefined when there is none, or none yet. */
  async #next(): Promise<SourceBatch | undefined> {
    const held = this.#held;
    if (held !== undefined) {
      this.#held = undefined;
      return held;
    }
    const result = await this.#batches?.next();
    if (result === undefined || result.done === true || result.value === 'end') return undefined;
    const { sequence, count } = result.value;
    this.#latestSequence = sequence + count - 1;
    return result.value;
  }

  /** Every batch of every file, and `end` each time that the end is reached. */
  async *#read(): AsyncGenerator<SourceBatch | 'end'> {
    const done = new Set<string>();
    for (;;) {
      const file = listEventFiles(this.#options.path).find((one) => !done.has(identityOf(one)));
      if (file === undefined) {
        if (done.size === 0 && !this.#options.follow) throw missing(this.#options.path);
        yield 'end';
        continue;
      }
      done.add(identityOf(file));
      yield* this.#readFile(file, done);
    }
  }

  async *#readFile(file: string, done: ReadonlySet<string>): AsyncGenerator<SourceBatch | 'end'> {
    const reader = new LineReader(file);
    const batches = new EventBatches();
    for (;;) {
      // A file that has a successor does not grow any more: what is read after that was seen is the whole.
      const isFinished = listEventFiles(this.#options.path).some((one) => !done.has(identityOf(one)));
      for await (const line of reader.lines()) {
        const batch = batches.add(line, file);
        if (batch !== undefined) yield batch;
      }
      if (isFinished) {
        if (batches.pending > 0 || reader.tornBytes > 0) throw torn(file);
        return;
      }
      if (!this.#options.follow && (batches.pending > 0 || reader.tornBytes > 0))
        this.#log.warn('the file ends in the middle of a transaction, which is left out', {
          file,
          events: batches.pending,
          bytes: reader.tornBytes,
        });
      yield 'end';
    }
  }

  /** Reads up to and including the batch of `position`, which must be there as the position names it. */
  async #skipTo(position: Position): Promise<void> {
    for (let batch = await this.#next(); batch !== undefined; batch = await this.#next()) {
      if (batch.sequence + batch.count - 1 < position.sequence) continue;
      requireSameHistory(position, batch);
      return;
    }
    throw new TailraceError(
      'WAL_SEQUENCE_AHEAD',
      `the files of ${this.#options.path} end before sequence number ${position.sequence}`,
      {
        context: { file: this.#options.path, wanted: position.sequence },
        remedy: 'These are files of another pipeline, or the newest ones are missing.',
      },
    );
  }
}

const torn = (file: string): TailraceError =>
  new TailraceError(
    'EVENT_INVALID',
    `${file} ends in the middle of a transaction, and another file follows`,
    {
      context: { file },
      remedy: 'The file was cut: restore it, or start again from its source.',
    },
  );

const missing = (path: string): TailraceError =>
  inaccessible(path, new Error('there is no such file, and none that a rotation made of it'));
