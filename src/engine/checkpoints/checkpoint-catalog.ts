import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { TailraceError } from '../../errors/index.js';
import { type Files, inaccessible, replaceFile } from '../../files/index.js';
import { otherFormat } from '../other-format.js';
import type { TreeState } from '../tree/index.js';
import type { CheckpointEntry } from './checkpoint.js';

/** All checkpoints of a store at one time. */
export interface CheckpointList {
  readonly checkpoints: readonly CheckpointEntry[];
  /**
   * Up to which sequence number the log was durable before the list was written. A checkpoint behind that may be in the
   * list although the log ends before it: then it was being made when the store stopped, and nobody was told that it is.
   */
  readonly logSequence: number;
}

/**
 * The file `CHECKPOINTS`: all checkpoints of a store. It has two halves, each of which begins with a list: a line of
 * JSON, and its CRC-32 (hex) on the next one, filled up with spaces to whole pages, and the same once more. The list with
 * the highest number is the newest, at the beginning of whichever page; each new one is written over the half without it, so
 * that after a crash the file holds the old list or the new. Nothing about the file itself changes then, and making a list
 * durable does not wait for what else the file system has to write.
 *
 * There are two copies because a damaged newest list looks as one does that was written in part: the older one would be
 * taken, which tells of checkpoints that were deleted, and whose pages were given away since.
 *
 * It stands beside the data file, not in it, so that a checkpoint can be made while a flush is under way.
 */
export class CheckpointCatalog {
  readonly #path: string;
  readonly #directory: string;
  readonly #files: Files;
  #writing: Promise<void> = Promise.resolve();
  #number = 0;
  #halfBytes = 0;
  /** The half that the next list goes to. */
  #nextHalf = 0;
  #fd: number | undefined;

  constructor(directory: string, files: Files) {
    this.#directory = directory;
    this.#path = join(directory, 'CHECKPOINTS');
    this.#files = files;
  }

  /** What the file holds; nothing when there is none. @throws `STORE_CORRUPT` | `FILE_INACCESSIBLE` */
  read(): CheckpointList {
    if (!existsSync(this.#path)) return { checkpoints: [], logSequence: 0 };
    let bytes: Buffer;
    try {
      bytes = readFileSync(this.#path);
    } catch (cause) {
      throw inaccessible(this.#path, cause);
    }
    // A list in half a file that was cut would be an older one, and pages that newer checkpoints hold would be given away.
    if (bytes.length === 0 || bytes.length % (2 * leastHalfBytes) !== 0)
      throw this.#damaged(`the file has ${bytes.length} bytes: it was cut or copied in part`);
    this.#halfBytes = bytes.length / 2;
    let newest: List | undefined;
    for (let at = 0; at < bytes.length; at += pageBytes) {
      const list = this.#listAt(bytes, at);
      if (list === undefined || list.number <= (newest?.number ?? -1)) continue;
      newest = list;
      this.#nextHalf = at < this.#halfBytes ? 1 : 0;
    }
    if (newest === undefined) throw this.#damaged('its checksum is wrong');
    this.#number = newest.number;
    const { checkpoints, logSequence = Number.POSITIVE_INFINITY } = newest;
    return { checkpoints, logSequence };
  }

  /** Makes the file ready for lists to be written to it, when it has been read. @throws `FILE_INACCESSIBLE` */
  async open(list: CheckpointList): Promise<void> {
    try {
      if (this.#halfBytes === 0) {
        await this.#replace(this.#encode(list));
        return;
      }
      this.#fd = await this.#files.open(this.#path, 'r+');
      // What was read may not be durable: the writer may have been killed before it was.
      await this.#files.datasync(this.#fd);
    } catch (cause) {
      throw inaccessible(this.#path, cause);
    }
  }

  /** Makes a list durable, after those that are being written, and after `beforehand`. @throws `FILE_INACCESSIBLE` */
  write(list: CheckpointList, beforehand: Promise<void> = Promise.resolve()): Promise<void> {
    const bytes = this.#encode(list);
    beforehand.catch(() => {}); // it may fail before its turn comes, when whoever asked is told
    const write = this.#writing.then(async () => {
      await beforehand;
      await this.#write(bytes).catch((cause: unknown) => {
        throw inaccessible(this.#path, cause);
      });
    });
    this.#writing = write.catch(() => {}); // who asked for the write is told; the next one is tried all the same
    return write;
  }

  /** Waits for what is being written. */
  async close(): Promise<void> {
    await this.#writing;
    await this.#closeFile();
  }

  async #write(copies: Buffer): Promise<void> {
    if (this.#fd === undefined || copies.length > this.#halfBytes) {
      await this.#replace(copies);
      return;
    }
    // At once: with another thread it would take longer, and the sync begins when it is done.
    await this.#files.writeFew(this.#fd, copies, this.#nextHalf * this.#halfBytes);
    await this.#files.datasync(this.#fd);
    this.#nextHalf = 1 - this.#nextHalf;
  }

  /** Makes the file anew, with room for twice as much. */
  async #replace(copies: Buffer): Promise<void> {
    await this.#closeFile();
    this.#halfBytes = Math.max(leastHalfBytes, roundedUp(2 * copies.length, leastHalfBytes));
    const content = Buffer.alloc(2 * this.#halfBytes, ' ');
    copies.copy(content);
    await replaceFile(this.#files, this.#directory, this.#path, content);
    this.#fd = await this.#files.open(this.#path, 'r+');
    this.#nextHalf = 1;
  }

  #encode({ logSequence, checkpoints }: CheckpointList): Buffer {
    const list: List = { format: catalogFormat, number: ++this.#number, logSequence, checkpoints };
    const line = JSON.stringify(list);
    const bytes = Buffer.from(`${line}\n${crc32(line).toString(16)}\n`);
    const copyBytes = roundedUp(bytes.length, pageBytes);
    const copies = Buffer.alloc(2 * copyBytes, ' ');
    for (const at of [0, copyBytes]) bytes.copy(copies, at);
    return copies;
  }

  async #closeFile(): Promise<void> {
    const fd = this.#fd;
    this.#fd = undefined;
    if (fd === undefined) return;
    await this.#files.close(fd).catch((cause: unknown) => {
      throw inaccessible(this.#path, cause);
    });
  }

  /** The list at a place in the file; undefined when none begins there, or it is not whole. */
  #listAt(bytes: Buffer, at: number): List | undefined {
    if (bytes[at] !== openingBrace) return undefined;
    const lineEnd = bytes.indexOf('\n', at);
    const line = bytes.subarray(at, lineEnd);
    const checksum = bytes.toString('latin1', lineEnd + 1, bytes.indexOf('\n', lineEnd + 1));
    if (crc32(line).toString(16) !== checksum) return undefined;
    const list = JSON.parse(line.toString()) as List;
    if (list.format !== catalogFormat) throw otherFormat(this.#path, list.format, catalogFormat);
    return list;
  }

  #damaged(reason: string): TailraceError {
    return new TailraceError('STORE_CORRUPT', `${this.#path}: ${reason}`, {
      context: { file: this.#path, reason },
      remedy: 'Restore the file from a backup, or remove it to go on without the checkpoints.',
    });
  }
}

/** The distinct states of checkpoints, from the oldest to the newest. */
export const statesOf = (entries: readonly CheckpointEntry[]): TreeState[] => {
  const byEpoch = new Map<number, TreeState>();
  for (const { state } of entries) if (state !== undefined) byEpoch.set(state.epoch, state);
  return [...byEpoch.values()].sort((a, b) => a.epoch - b.epoch);
};

/** The list as it stands in the file. */
interface List extends Partial<CheckpointList> {
  readonly format: number;
  readonly number: number;
  readonly checkpoints: readonly CheckpointEntry[];
}

const roundedUp = (bytes: number, to: number): number => Math.ceil(bytes / to) * to;

const catalogFormat = 2;
const pageBytes = 4096;
const openingBrace = 0x7b;
/** Whole pages of any file system, so that writing one half leaves the other alone; and room for some forty checkpoints. */
const leastHalfBytes = 64 * 1024;
