import type { Files } from '../../files/index.js';

/**
 * A file that is written from its beginning to its end, in many small pieces: they gather in memory, and are written
 * together while the next ones gather. A write for each would be a way to another thread and back for each.
 */
export class GatheredOutput implements AsyncDisposable {
  readonly #files: Files;
  readonly #fd: number;
  #buffer = Buffer.allocUnsafe(gatheredBytes);
  /** The one that is being written, or was. */
  #other = Buffer.allocUnsafe(gatheredBytes);
  #length = 0;
  #writtenBytes = 0;
  #writing: Promise<void> = Promise.resolve();

  constructor(files: Files, fd: number) {
    this.#files = files;
    this.#fd = fd;
  }

  /** Bytes of the file so far. */
  get bytes(): number {
    return this.#writtenBytes + this.#length;
  }

  /** The place of so many bytes, to be filled before anything else is asked for. */
  async next(length: number): Promise<Buffer> {
    if (this.#length + length > this.#buffer.length) await this.#writeOut();
    if (length > this.#buffer.length) this.#buffer = Buffer.allocUnsafe(length);
    this.#length += length;
    return this.#buffer.subarray(this.#length - length, this.#length);
  }

  async add(bytes: Uint8Array): Promise<void> {
    (await this.next(bytes.length)).set(bytes);
  }

  /** Resolves when all is written. */
  async finish(): Promise<void> {
    await this.#writeOut();
    await this.#writing;
  }

  /** Waits for what is being written, whatever becomes of it. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#writing.catch(() => {});
  }

  async #writeOut(): Promise<void> {
    await this.#writing;
    if (this.#length === 0) return;
    const full = this.#buffer;
    this.#writing = this.#files.write(this.#fd, full.subarray(0, this.#length), this.#writtenBytes);
    this.#writing.catch(() => {}); // who asks for more, or for the end, is told
    this.#writtenBytes += this.#length;
    this.#length = 0;
    this.#buffer = this.#other;
    this.#other = full;
  }
}

/** Read in a millisecond or two from a disk, where they lie scattered. */
const gatheredBytes = 256 * 1024;
