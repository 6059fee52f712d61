import { createReadStream } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { LineSplitter } from '../../bytes/index.js';
import { isTailraceError } from '../../errors/index.js';
import { inaccessible, makeDirectory, SerialQueue } from '../../files/index.js';
import {
  type DeadLetter,
  type DeadLetterTarget,
  parseLetter,
  type StoredLetter,
  storedLetter,
} from './dead-letters.js';

/**
 * Dead letters as lines of JSON in a file that only grows: what was settled is told by a later line, so that a running
 * pipeline and a replay do not get into each other's way.
 *
 *   StoredLetter
 *   {"settled":["<id>", …],"at":"…"}
 */
export class FileDeadLetters implements DeadLetterTarget {
  readonly #path: string;
  readonly #appends = new SerialQueue();
  #file: Promise<FileHandle> | undefined;

  constructor(path: string) {
    this.#path = resolve(path);
  }

  add(letters: readonly DeadLetter[]): Promise<void> {
    return this.#append(letters.map(storedLetter));
  }

  async list(): Promise<readonly StoredLetter[]> {
    const pending = new Map<string, StoredLetter>();
    // A crash may have torn the last line, which then was not durable for anyone: what has no end is not read.
    const splitter = new LineSplitter();
    try {
      for await (const piece of createReadStream(this.#path))
        for (const { bytes, number } of splitter.split(piece)) {
          const entry = parseLetter(bytes.toString(), `${this.#path}:${number}`);
          if ('settled' in entry) for (const id of entry.settled) pending.delete(id);
          else pending.set(entry.id, entry);
        }
    } catch (cause) {
      if (isTailraceError(cause)) throw cause;
      if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return [];
      throw inaccessible(this.#path, cause);
    }
    return [...pending.values()];
  }

  settle(ids: readonly string[]): Promise<void> {
    return ids.length === 0
      ? Promise.resolve()
      : this.#append([{ settled: ids, at: new Date().toISOString() }]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    await (await file?.catch(() => undefined))?.close();
  }

  #append(entries: readonly object[]): Promise<void> {
    return this.#appends.run(async () => {
      this.#file ??= this.#open();
      const opened = this.#file;
      try {
        const file = await opened;
        const lines = Buffer.from(entries.map((entry) => `${JSON.stringify(entry)}\n`).join(''));
        // In one piece: other pipelines, and a replay, append to the same file.
        const { bytesWritten } = await file.write(lines);
        if (bytesWritten < lines.length) throw new Error(`wrote ${bytesWritten} of ${lines.length} bytes`);
        await file.datasync();
      } catch (cause) {
        this.#file = undefined;
        await opened.then((file) => file.close()).catch(() => undefined); // what failed is told
        throw inaccessible(this.#path, cause);
      }
    });
  }

  /** A line that a crash has torn is ended, so that the next one stands by itself. */
  async #open(): Promise<FileHandle> {
    makeDirectory(dirname(this.#path));
    const file = await open(this.#path, 'a+', 0o640);
    const { size } = await file.stat();
    const last = Buffer.alloc(1, '\n');
    if (size > 0) await file.read(last, 0, 1, size - 1);
    if (last.toString() !== '\n') await file.truncate(await endOfLastLine(file, size));
    return file;
  }
}

const endOfLastLine = async (file: FileHandle, size: number): Promise<number> => {
  const bytes = Buffer.alloc(64 * 1024);
  for (let end = size; end > 0; end -= bytes.length) {
    const start = Math.max(0, end - bytes.length);
    const { bytesRead } = await file.read(bytes, 0, end - start, start);
    const at = bytes.subarray(0, bytesRead).lastIndexOf(0x0a);
    if (at >= 0) return start + at + 1;
  }
  return 0;
};
