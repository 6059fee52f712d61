import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { TailraceError } from '../../errors/index.js';
import {
  type Files,
  inaccessible,
  nodeFiles,
  openToRead,
  ownThreadFiles,
  replaceFile,
} from '../../files/index.js';
import { closed } from '../engine-faults.js';
import type { Run } from '../space/index.js';
import type { RunReader } from './entry-view.js';
import { readLargeReference, unitsFor } from './large-value.js';
import { damagedPage, headerFault, pageBytes, pageFault } from './page.js';
import {
  encodeSuperblock,
  newestSuperblock,
  type Superblock,
  superblockUnits,
  unreadable,
} from './superblock.js';

/** What another thread needs to read and write an open data file: descriptors belong to the process. */
export interface DataFileHandle {
  readonly path: string;
  readonly fd: number;
  readonly epoch: number;
}

/**
 * The file `data` of a store. Reads are synchronous, writes are not. One descriptor stays open for as long as the store
 * is: the system reports a failed write-back only once to each descriptor.
 */
export class DataFile implements RunReader {
  readonly path: string;
  /** The newest epoch that a page may have been written for. */
  epoch: number;
  bytesWritten = 0;
  readonly #files: Files;
  readonly #fd: number;
  /** Modification time, in ms, from before anything was read; undefined = this process is the writer. */
  readonly #unchangedSinceMs: number | undefined;
  #isOpen = true;

  private constructor(path: string, files: Files, fd: number, epoch: number, unchangedSinceMs?: number) {
    this.path = path;
    this.#files = files;
    this.#fd = fd;
    this.epoch = epoch;
    this.#unchangedSinceMs = unchangedSinceMs;
  }

  /** Where the data file of a store's directory is. */
  static pathIn(directory: string): string {
    return join(directory, 'data');
  }

  /** Makes a data file with its first superblock, atomically. */
  static async create(directory: string, files: Files, first: Superblock): Promise<void> {
    const content = Buffer.alloc(superblockUnits * pageBytes);
    encodeSuperblock(first).copy(content, (first.epoch & 1) * pageBytes);
    await replaceFile(files, directory, DataFile.pathIn(directory), content);
  }

  /** Opens a data file at its newest durable state. @throws `STORE_CORRUPT` | `FILE_INACCESSIBLE` */
  static async open(
    directory: string,
    files: Files,
    isReadOnly: boolean,
  ): Promise<{ file: DataFile; superblock: Superblock }> {
    const path = DataFile.pathIn(directory);
    let fd: number;
    try {
      fd = isReadOnly ? openSync(path, 'r') : await files.open(path, 'r+');
    } catch (cause) {
      throw inaccessible(path, cause);
    }
    try {
      if (!isReadOnly) await syncFound(files, fd, path);
      const { mtimeMs } = fstatSync(fd);
      const superblock = superblockOf(fd, path);
      const { size } = fstatSync(fd);
      if (size < superblock.units * pageBytes)
        throw unreadable(
          path,
          `the file has ${size} bytes, its superblock says ${superblock.units * pageBytes}: it was cut or copied in part`,
        );
      const file = new DataFile(path, files, fd, superblock.epoch, isReadOnly ? mtimeMs : undefined);
      return { file, superblock };
    } catch (error) {
      closeSync(fd);
      throw error;
    }
  }

  /** The same file for the merge thread, which must neither close it nor use it once it is closed. */
  static attach({ path, fd, epoch }: DataFileHandle): DataFile {
    return new DataFile(path, ownThreadFiles, fd, epoch);
  }

  /** For `attach` in another thread; undefined when a test has given other file operations than the real ones. */
  get handle(): DataFileHandle | undefined {
    const { path, epoch } = this;
    return this.#files === nodeFiles ? { path, fd: this.#fd, epoch } : undefined;
  }

  /** Reads a page into place and checks it. @throws `STORE_CORRUPT` | `STORE_CHANGED` | `FILE_INACCESSIBLE` */
  readPage(unit: number, into: Buffer, at: number): void {
    if (this.#readAt(into, at, pageBytes, unit) < pageBytes)
      throw this.#damaged(unit, 'the file ends before the page');
    this.checkPage(unit, into, at);
  }

  /** Reads pages that lie side by side: each is to be checked before it is used. @throws `STORE_CORRUPT` | `FILE_INACCESSIBLE` */
  readPages(unit: number, count: number, into: Buffer): void {
    if (this.#readAt(into, 0, count * pageBytes, unit) < count * pageBytes)
      throw this.#damaged(unit, `the file ends before ${count} pages are read`);
  }

  /** Checks a page that was read with others. @throws `STORE_CORRUPT` | `STORE_CHANGED` */
  checkPage(unit: number, into: Buffer, at: number): void {
    const fault = pageFault(into, at, { unit, epoch: this.epoch });
    if (fault !== undefined) throw this.#damaged(unit, fault);
  }

  /** Checks the header alone of a page that was read with others. @throws `STORE_CORRUPT` | `STORE_CHANGED` */
  checkHeader(unit: number, into: Buffer, at: number): void {
    const fault = headerFault(into, at, { unit, epoch: this.epoch });
    if (fault !== undefined) throw this.#damaged(unit, fault);
  }

  /** Bytes from the start of a unit on. Owned by the caller. */
  readUnits(unit: number, byteLength: number): Buffer {
    const bytes = Buffer.allocUnsafe(byteLength);
    if (this.#readAt(bytes, 0, byteLength, unit) < byteLength)
      throw this.#damaged(unit, `the file ends before ${byteLength} bytes are read`);
    return bytes;
  }

  readRun(unit: number, byteLength: number, checksum: number): Buffer {
    return this.#readRuns([{ start: unit, length: unitsFor(byteLength) }], byteLength, checksum);
  }

  /** The value that the reference in an entry points to. Owned by the caller. @throws `STORE_CORRUPT` */
  readLarge(entry: Uint8Array, at: number, byteLength: number): Buffer {
    const { runs, checksum } = readLargeReference(entry, at, byteLength);
    return this.#readRuns(runs, byteLength, checksum);
  }

  async write(unit: number, bytes: Uint8Array): Promise<void> {
    this.bytesWritten += bytes.length;
    await this.#files.write(this.#fd, bytes, unit * pageBytes);
  }

  /** Makes the file at least as large as `units`. */
  async growTo(units: number): Promise<void> {
    if (fstatSync(this.#fd).size < units * pageBytes) await this.#files.truncate(this.#fd, units * pageBytes);
  }

  /** Cuts what is behind `units`: no state that is or may become the newest may reach there. */
  async shrinkTo(units: number): Promise<void> {
    if (fstatSync(this.#fd).size > units * pageBytes) await this.#files.truncate(this.#fd, units * pageBytes);
  }

  async sync(): Promise<void> {
    await this.#files.datasync(this.#fd);
  }

  /** Makes a state the newest one: all that it refers to must be durable before. */
  async writeSuperblock(superblock: Superblock): Promise<void> {
    await this.#files.write(this.#fd, encodeSuperblock(superblock), (superblock.epoch & 1) * pageBytes);
    await this.sync();
    this.epoch = superblock.epoch;
  }

  /** Idempotent. */
  close(): void {
    if (this.#isOpen) closeSync(this.#fd);
    this.#isOpen = false;
  }

  /** A reader beside the writer may find pages that the writer has reused since: that is no damage. */
  #damaged(unit: number, reason: string): TailraceError {
    return this.#wasWrittenByOther() ? changed(this.path) : damagedPage(this.path, unit, reason);
  }

  /** A newer superblock shows it, or the modification time: pages of a deleted checkpoint are reused before the next one. */
  #wasWrittenByOther(): boolean {
    if (this.#unchangedSinceMs === undefined) return false;
    if (superblockOf(this.#fd, this.path).epoch > this.epoch) return true;
    return fstatSync(this.#fd).mtimeMs !== this.#unchangedSinceMs;
  }

  #readRuns(runs: readonly Run[], byteLength: number, checksum: number): Buffer {
    const bytes = Buffer.allocUnsafe(byteLength);
    let done = 0;
    for (const { start, length } of runs) {
      const wanted = Math.min(length * pageBytes, byteLength - done);
      if (this.#readAt(bytes, done, wanted, start) < wanted)
        throw this.#damaged(start, `the file ends before ${wanted} bytes are read`);
      done += wanted;
    }
    if (done < byteLength || crc32(bytes) !== checksum)
      throw this.#damaged(runs[0]?.start ?? 0, 'a large key or value has a wrong checksum');
    return bytes;
  }

  #readAt(into: Buffer, at: number, byteLength: number, unit: number): number {
    // Once closed, the descriptor may belong to another file.
    if (!this.#isOpen) throw closed('the store is closed');
    let done = 0;
    try {
      while (done < byteLength) {
        const read = readSync(this.#fd, into, at + done, byteLength - done, unit * pageBytes + done);
        if (read === 0) break;
        done += read;
      }
    } catch (cause) {
      throw inaccessible(this.path, cause);
    }
    return done;
  }
}

/** The newest state of a data file that is not open. @throws `STORE_CORRUPT` | `FILE_INACCESSIBLE` */
export const readSuperblock = (path: string): Superblock => {
  const fd = openToRead(path);
  try {
    return superblockOf(fd, path);
  } finally {
    closeSync(fd);
  }
};

/**
 * The last writer may have been killed between writing a superblock and syncing it. If that superblock were lost later,
 * the state before it would be the newest again, while its units are already being reused.
 */
const syncFound = async (files: Files, fd: number, path: string): Promise<void> => {
  try {
    await files.datasync(fd);
  } catch (cause) {
    throw inaccessible(path, cause);
  }
};

const changed = (path: string): TailraceError =>
  new TailraceError('STORE_CHANGED', `${path} was written to since it was opened for reading`, {
    context: { file: path },
    remedy: 'Open it again; to read one state for longer, restore a checkpoint of it, or ask its server.',
  });

const superblockOf = (fd: number, path: string): Superblock => {
  const units = [0, 1].map((unit) => {
    const bytes = Buffer.alloc(pageBytes);
    try {
      return bytes.subarray(0, readSync(fd, bytes, 0, pageBytes, unit * pageBytes));
    } catch (cause) {
      throw inaccessible(path, cause);
    }
  });
  return newestSuperblock(path, units);
};
