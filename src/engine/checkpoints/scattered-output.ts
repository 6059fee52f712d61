import type { Files } from '../../files/index.js';

/**
 * A file that is written in pieces at places of their own, of which none overlaps another: a few side by side, so that not
 * each waits for its way to another thread and back.
 */
export class ScatteredOutput implements AsyncDisposable {
  readonly #files: Files;
  readonly #fd: number;
  readonly #writing = new Set<Promise<void>>();
  #error: unknown;

  constructor(files: Files, fd: number) {
    this.#files = files;
    this.#fd = fd;
  }

  /** Writes `bytes`, which must stay as they are, some time before `finish` resolves. @throws what a write before failed with */
  async write(bytes: Uint8Array, position: number): Promise<void> {
    while (this.#writing.size >= mostAtOnce) await Promise.race(this.#writing);
    if (this.#error !== undefined) throw this.#error;
    const write = this.#files
      .write(this.#fd, bytes, position)
      .catch((error: unknown) => {
        this.#error ??= error;
      })
      .then(() => {
        this.#writing.delete(write);
      });
    this.#writing.add(write);
  }

  /** Resolves when all is written. */
  async finish(): Promise<void> {
    await Promise.all(this.#writing);
    if (this.#error !== undefined) throw this.#error;
  }

  /** Waits for what is being written, whatever becomes of it. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#writing);
  }
}

/** Of the four threads that do the system's work for all, one is left to others: the log is synced by them too. */
const mostAtOnce = 3;
