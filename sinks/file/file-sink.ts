import { existsSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import {
  type Claim,
  codeOf,
  describeHolder,
  type Finding,
  inaccessible,
  isSamePosition,
  isTailraceError,
  type Logger,
  makeDirectory,
  messageOf,
  nodeFiles,
  type PluginContext,
  type Position,
  ProcessLock,
  requireWritable,
  type Sink,
  type SinkBatch,
  TailraceError,
  type WriteOutcome,
} from '../../src/kit/index.js';
import { type BatchEncoding, EventLines, RawBatches, RespCommands } from './batch-encoding.js';
import { type JournalEntry, PositionJournal, readLastEntry } from './position-journal.js';
import { type Compression, SegmentCompressor } from './segment-compressor.js';
import { damaged, requireFormat, SegmentFile, type Standing, standingOf } from './segment-file.js';
import { SegmentNames } from './segment-names.js';

/** Settings of the sink `file`. */
export interface FileSinkOptions {
  /** The file of change events, one JSON object a line; for `raw` the directory of the segments. */
  readonly path: string;
  /** Name of the source in the events. */
  readonly source: string;
  /** False leaves syncing to the operating system: a power cut may then lose the newest events, never tear them. */
  readonly sync: boolean;
  /** `ndjson` (default): change events; `resp`: Redis commands; `raw`: the write batches in RocksDB's log format. */
  readonly format?: 'ndjson' | 'resp' | 'raw';
  /** For `resp`: what the keys of each namespace start with; default: the default namespace alone. */
  readonly namespaces?: Readonly<Record<string, string>>;
  /** When to go on with a new file: beyond this size, and after this time in ms; 0 = never. */
  readonly rotate?: { readonly bytes: number; readonly every: number };
  /** Of files that are finished; default `none`. */
  readonly compress?: Compression;
}

/**
 * Change events as lines of JSON, Redis commands, or the batches themselves, in files, exactly once.
 *
 * Protocol. A commit is: append the bytes, sync the data, append the position to the journal beside it, sync the
 * journal. The journal's last whole record says which file is being written, how much of it counts, and which position
 * it holds; on start whatever lies behind that length is cut off, and a later file is forgotten. Going on with a new
 * file is: make it, sync the directory, and say so in the journal. One process holds the files at a time, by a lock that
 * its death releases.
 *
 * What was written is the user's: who moves or removes a file, also the one that is being written, has its changes, and
 * those that come next go to a new file of that name. A file that was cut is an error.
 */
export class FileSink implements Sink {
  readonly guarantee = 'exactly-once';
  readonly holdsPosition = true;
  readonly takesWholeBatches: boolean;
  readonly #names: SegmentNames;
  readonly #isSynced: boolean;
  readonly #rotate: { readonly bytes: number; readonly every: number };
  readonly #encoding: BatchEncoding;
  readonly #journal: PositionJournal;
  readonly #compressor: SegmentCompressor | undefined;
  #lock: ProcessLock | undefined;
  #claim: Claim = { epoch: 0, position: null };
  #file: SegmentFile | undefined;
  #segment = 0;
  #dataBytes = 0;
  /** When the file that is being written was begun, in ms since the epoch. */
  #bornAtMs = 0;
  readonly #log: Logger;
  #rotation: NodeJS.Timeout | undefined;
  /** Writes and rotations take turns. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(options: FileSinkOptions, context: PluginContext) {
    const { format = 'ndjson', rotate = { bytes: 0, every: 0 }, compress = 'none' } = options;
    this.takesWholeBatches = format === 'raw';
    this.#names = new SegmentNames(resolve(options.path), format === 'raw');
    this.#isSynced = options.sync;
    this.#rotate = rotate;
    this.#log = context.log;
    if (compress !== 'none' && !this.#isRotating) throw nothingToCompress();
    this.#compressor = compress === 'none' ? undefined : new SegmentCompressor(compress, context.log);
    const source = { connector: 'tailrace', name: options.source || context.pipeline };
    this.#encoding =
      format === 'raw'
        ? new RawBatches()
        : format === 'resp'
          ? new RespCommands(options.namespaces ?? { default: '' })
          : new EventLines(source);
    this.#journal = new PositionJournal(this.#names.directory, `${this.#names.company}.position`);
  }

  async claim(): Promise<Claim> {
    try {
      return await this.#claimFiles();
    } catch (cause) {
      if (isFull(cause)) throw noRoom(this.#path, cause);
      throw isTailraceError(cause) ? cause : inaccessible(this.#path, cause);
    }
  }

  write(batch: SinkBatch, claim: Claim): Promise<WriteOutcome> {
    return this.#inTurn(async () => {
      if (claim.epoch !== this.#claim.epoch || !isSamePosition(batch.previous, this.#claim.position))
        return { kind: 'fenced', error: new Error('the file was claimed again, or is at another position') };
      if (this.#file === undefined) return { kind: 'fatal', error: closed(this.#path) };
      try {
        return await this.#append(batch, await this.#inPlace(this.#file));
      } catch (cause) {
        if (isTailraceError(cause)) return { kind: 'fatal', error: cause };
        // What was begun lies behind what the journal vouches for, and is written over.
        if (isFull(cause)) return { kind: 'retryable', error: noRoom(this.#path, cause) };
        // After a failed write or sync nothing about the files is known any more; only a new start reads the truth.
        return { kind: 'fatal', error: inaccessible(this.#path, cause) };
      }
    });
  }

  async readPosition(): Promise<Position | null> {
    return readLastEntry(this.#journal.path)?.position ?? null;
  }

  setPosition(position: Position | null, claim: Claim): Promise<void> {
    return this.#inTurn(async () => {
      const { epoch } = claim;
      await this.#journal.append({ segment: this.#segment, dataBytes: this.#dataBytes, epoch, position });
      this.#claim = { epoch, position };
    });
  }

  async check(): Promise<readonly Finding[]> {
    const { directory } = this.#names;
    try {
      const last = this.#findLast();
      if (last === undefined) this.#requireNothing(this.#firstSegment);
      const standing = last && this.#standingOf(last);
      requireWritable(directory);
      if (last === undefined) return [{ name: 'file', status: 'ok', detail: 'nothing is written yet' }];
      const path = this.#names.fileOf(last.segment);
      const held = `${path} holds ${last.dataBytes} bytes`;
      const gone = `${path} is gone with its ${last.dataBytes} bytes: a new one will be begun`;
      return [
        { name: 'file', status: 'ok', detail: standing === 'gone' ? gone : held },
        {
          name: 'position',
          status: 'ok',
          detail: `${this.#journal.path} is at sequence number ${last.position?.sequence ?? 0}`,
        },
      ];
    } catch (cause) {
      const { message, remedy } = isTailraceError(cause) ? cause : inaccessible(directory, cause);
      return [{ name: 'file', status: 'fail', detail: message, remedy }];
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearTimeout(this.#rotation);
    await this.#inTurn(async () => {
      await this.#journal.close();
      await this.#file?.close();
      this.#file = undefined;
    });
    await this.#compressor?.[Symbol.asyncDispose]();
    this.#lock?.release();
    this.#lock = undefined;
  }

  async #claimFiles(): Promise<Claim> {
    const { directory, company } = this.#names;
    makeDirectory(directory);
    this.#lock ??= await ProcessLock.acquire(
      this.#names.lock,
      (holder) =>
        new TailraceError('SINK_FENCED', `${company} is being written by ${describeHolder(holder)}`, {
          context: { file: company },
          remedy: 'Stop that process, or give this pipeline a file of its own.',
        }),
    );
    const last = this.#findLast();
    if (last === undefined) this.#requireNothing(this.#firstSegment);
    const { segment = this.#firstSegment, dataBytes = 0, epoch = 0, position = null } = last ?? {};
    this.#segment = segment;
    this.#dataBytes = dataBytes;
    this.#claim = { epoch: epoch + 1, position };
    await this.#file?.close();
    this.#file = undefined;
    await this.#openFile(this.#standingOf({ segment, dataBytes }));
    for (const finished of this.#names.finished(segment)) this.#compressor?.add(this.#names.fileOf(finished));
    return this.#claim;
  }

  /** The last commit; without syncing a power cut may have taken the end of the file: then the last one that it holds. */
  #findLast(): JournalEntry | undefined {
    const { path } = this.#journal;
    const last = existsSync(path) ? readLastEntry(path) : undefined;
    if (last === undefined || this.#isSynced || !existsSync(this.#names.fileOf(last.segment))) return last;
    const isHeld = ({ segment, dataBytes }: JournalEntry): boolean =>
      standingOf(this.#names.fileOf(segment), dataBytes) === 'whole';
    return readLastEntry(path, isHeld) ?? last;
  }

  /** How the file of the last commit stands. @throws TailraceError `SINK_FAILED` when it was cut, or is of another format */
  #standingOf({ segment, dataBytes }: Pick<JournalEntry, 'segment' | 'dataBytes'>): Standing {
    const path = this.#names.fileOf(segment);
    const standing = standingOf(path, dataBytes);
    if (standing === 'damaged') throw damaged(path, dataBytes);
    if (standing === 'whole' && dataBytes > 0) requireFormat(path, this.#encoding.firstByte);
    return standing;
  }

  /** The file to write to: `file`, or a new one of its name when somebody has taken it. */
  async #inPlace(file: SegmentFile): Promise<SegmentFile> {
    const standing = file.standing(this.#dataBytes);
    if (standing === 'whole') return file;
    const next = await this.#openFile(standing);
    await file.close();
    return next;
  }

  /** Opens the file that is being written, anew when it is gone. @throws TailraceError `SINK_FAILED` when it is damaged */
  async #openFile(standing: Standing): Promise<SegmentFile> {
    let [segment, dataBytes] = [this.#segment, this.#dataBytes];
    if (standing === 'damaged') throw damaged(this.#path, dataBytes);
    if (standing === 'gone') {
      const gone = { file: this.#path, bytes: dataBytes };
      this.#log.warn('the file was moved away or removed: a new one is begun', gone);
      if (segment > 0) segment++; // a number is given once, wherever its file is by now
      dataBytes = 0;
    }
    // First, so that a crash right behind it leaves no file that is shorter; and anew, since it may be gone as well.
    await this.#journal.restart({ segment, dataBytes, ...this.#claim });
    const file = await SegmentFile.open(this.#names.fileOf(segment), dataBytes);
    await nodeFiles.syncDirectory(this.#names.directory);
    this.#segment = segment;
    this.#dataBytes = dataBytes;
    this.#writeTo(file);
    return file;
  }

  async #append(batch: SinkBatch, file: SegmentFile): Promise<WriteOutcome> {
    const { bytes: limit } = this.#rotate;
    let target = file;
    let bytes = await this.#encoding.encode(batch, this.#dataBytes);
    const { rejections } = this.#encoding;
    if (rejections.length > 0) return { kind: 'poison', rejections };
    if (limit > 0 && this.#dataBytes > 0 && this.#dataBytes + bytes.length > limit) {
      target = await this.#startSegment(file);
      bytes = await this.#encoding.encode(batch, 0);
    }
    await target.write(bytes, this.#dataBytes, this.#isSynced);
    const dataBytes = this.#dataBytes + bytes.length;
    const { epoch } = this.#claim;
    await this.#journal.append({ segment: this.#segment, dataBytes, epoch, position: batch.position });
    this.#dataBytes = dataBytes;
    this.#claim = { epoch, position: batch.position };
    return { kind: 'durable' };
  }

  /** Goes on with the next file. */
  async #startSegment(finished: SegmentFile): Promise<SegmentFile> {
    const segment = this.#segment + 1;
    const path = this.#names.fileOf(segment);
    // Left by a rotation that did not get to the journal; removed, so that the new one has an age of its own.
    if (existsSync(path)) await nodeFiles.remove(path);
    const file = await SegmentFile.open(path, 0);
    try {
      await nodeFiles.syncDirectory(this.#names.directory);
      await this.#journal.append({ segment, dataBytes: 0, ...this.#claim });
    } catch (error) {
      await file.close();
      throw error;
    }
    if (!this.#isSynced) await finished.sync(); // what is finished is whole
    await finished.close();
    this.#segment = segment;
    this.#dataBytes = 0;
    this.#writeTo(file);
    this.#compressor?.add(finished.path);
    return file;
  }

  #writeTo(file: SegmentFile): void {
    this.#file = file;
    this.#bornAtMs = file.bornAtMs;
    this.#rotateLater();
  }

  /** Sets the clock for the file that is being written: it is rotated in time also when nothing more comes. */
  #rotateLater(): void {
    clearTimeout(this.#rotation);
    const { every } = this.#rotate;
    if (every === 0) return;
    const due = this.#bornAtMs + every - Date.now();
    // An old file that holds nothing yet is looked at again later.
    const wait = due > 0 ? due : this.#dataBytes > 0 ? 0 : every;
    this.#rotation = setTimeout(() => this.#rotateWhenDue(), Math.min(wait, longestTimerMs));
    this.#rotation.unref();
  }

  #rotateWhenDue(): void {
    this.#inTurn(async () => {
      if (this.#file === undefined) return;
      const isDue = this.#bornAtMs + this.#rotate.every <= Date.now();
      if (isDue && this.#dataBytes > 0) await this.#startSegment(this.#file);
      else this.#rotateLater();
    }).catch((error: unknown) => {
      // The files are as they were: the next write, or the next turn of the clock, tries again or says what is wrong.
      const reason = messageOf(error);
      this.#log.warn('no new file could be begun', { file: this.#path, reason });
      this.#bornAtMs = Date.now();
      this.#rotateLater();
    });
  }

  #inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    const turn = this.#turn.then(work);
    this.#turn = turn.catch(() => undefined);
    return turn;
  }

  /** Without a journal nobody knows what files hold that are there all the same. */
  #requireNothing(first: number): void {
    const path = this.#names.fileOf(first);
    if (!existsSync(path)) return;
    const found = statSync(path);
    if (found.isDirectory())
      throw inaccessible(path, Object.assign(new Error('it is a directory'), { code: 'EISDIR' }));
    if (found.size === 0) return;
    throw new TailraceError('SINK_FAILED', `${path} exists, but not the journal that says what it holds`, {
      context: { file: path },
      remedy: `Restore ${this.#journal.path}, or move the file away to start from the beginning.`,
    });
  }

  get #firstSegment(): number {
    return this.#isRotating || this.takesWholeBatches ? 1 : 0;
  }

  get #isRotating(): boolean {
    return this.#rotate.bytes > 0 || this.#rotate.every > 0;
  }

  get #path(): string {
    return this.#names.fileOf(this.#segment);
  }
}

/** The disk, or what this user may have of it, is full: which passes. */
const isFull = (error: unknown): boolean =>
  error instanceof Error && (['ENOSPC', 'EDQUOT'].includes(codeOf(error)) || isFull(error.cause));

const noRoom = (path: string, cause: unknown): TailraceError =>
  new TailraceError('SINK_UNREACHABLE', `cannot write to ${path}: ${messageOf(cause)}`, {
    context: { sink: path },
    remedy: 'Make room there.',
    cause,
  });

const closed = (path: string): TailraceError =>
  new TailraceError('SINK_FAILED', `${path} is closed`, {
    context: { file: path },
    remedy: 'The sink was disposed: make another one.',
  });

const nothingToCompress = (): TailraceError =>
  new TailraceError('CONFIG_INVALID', 'compress is set, but no file is ever finished', {
    remedy: 'Set rotate.bytes or rotate.every too, or leave out compress.',
  });

/** Longer timers fire at once in Node.js. */
const longestTimerMs = 2 ** 31 - 1;
