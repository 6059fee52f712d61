import { createReadStream } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { LineSplitter } from '../../bytes/index.js';
import { codeOf, isTailraceError } from '../../errors/index.js';
import { inaccessible, makeDirectory, refusePipe, SerialQueue } from '../../files/index.js';
import type { Logger } from '../../kit/index.js';
import { type DeadLetter, type DeadLetterTarget, type StoredLetter, storedLetter } from './dead-letters.js';
import { LetterLines } from './letter-lines.js';

/**
 * Dead letters as lines of JSON in a file that only grows: what was settled is told by a later line, so that several
 * pipelines, also of several processes, and a replay do not get into each other's way.
 *
 *   StoredLetter
 *   {"settled":["<id>", …],"at":"…"}
 *
 * A line that a crash or a full disk has torn stays where it is, and the next one begins behind a line end of its own:
 * what seems torn may be what another process is writing right now, so nothing is ever cut.
 */
export class FileDeadLetters implements DeadLetterTarget {
  readonly #path: string;
  readonly #log: Logger;
  readonly #appends = new SerialQueue();
  #file: Promise<FileHandle> | undefined;

  constructor(path: string, log: Logger) {
    this.#path = resolve(path);
    this.#log = log;
  }

  add(letters: readonly DeadLetter[]): Promise<void> {
    return this.#append(letters.map(storedLetter));
  }

  async list(): Promise<readonly StoredLetter[]> {
    const letters = new LetterLines(this.#path, this.#log);
    // What has no end is not read: it is torn, or being written, and so not durable for anyone.
    const splitter = new LineSplitter();
    refusePipe(this.#path);
    try {
      for await (const piece of createReadStream(this.#path))
        for (const { bytes, number } of splitter.split(piece)) letters.take(bytes.toString(), number);
    } catch (cause) {
      if (isTailraceError(cause)) throw cause;
      if (codeOf(cause) === 'ENOENT') return [];
      throw inaccessible(this.#path, cause);
    }
    return letters.pending;
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
        const lines = entries.map((entry) => `${JSON.stringify(entry)}\n`).join('');
        const { size } = await file.stat();
        const written = await appendWhole(file, (await endsInLine(file, size)) ? lines : `\n${lines}`);
        // Somebody else wrote in the meantime, maybe a torn line right before these. Twice is as once: they have ids.
        if ((await file.stat()).size !== size + written) await appendWhole(file, `\n${lines}`);
        await file.datasync();
      } catch (cause) {
        this.#file = undefined;
        await opened.then((file) => file.close()).catch(() => undefined); // what failed is told
        throw inaccessible(this.#path, cause);
      }
    });
  }

  #open(): Promise<FileHandle> {
    makeDirectory(dirname(this.#path));
    return open(this.#path, 'a+', 0o640);
  }
}

/** In one piece: others append to the same file. Returns how many bytes it took. */
const appendWhole = async (file: FileHandle, text: string): Promise<number> => {
  const bytes = Buffer.from(text);
  const { bytesWritten } = await file.write(bytes);
  if (bytesWritten < bytes.length) throw new Error(`wrote ${bytesWritten} of ${bytes.length} bytes`);
  return bytesWritten;
};

const endsInLine = async (file: FileHandle, size: number): Promise<boolean> => {
  if (size === 0) return true;
  const last = Buffer.alloc(1);
  await file.read(last, 0, 1, size - 1);
  return last.toString() === '\n';
};
