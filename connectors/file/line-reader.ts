import { createReadStream, existsSync } from 'node:fs';
import { createGunzip } from 'node:zlib';
import { inaccessible } from '../../src/kit/index.js';

/** A line without its end, and its number in the file, from 1. It borrows a piece of the file's content. */
export interface Line {
  readonly bytes: Buffer;
  readonly number: number;
}

/**
 * Reads a file line by line, and goes on where it stopped when the file has grown, also when it was compressed
 * meanwhile. What stands behind the last line end is a line that is still being written.
 */
export class LineReader {
  readonly path: string;
  /** Bytes of the content that were read. */
  #offset = 0;
  #number = 0;
  /** What stands behind the last line end, in the pieces in which it came: put together once, however long it gets. */
  #rest: Buffer[] = [];
  /** A compressed file is finished: once is enough. */
  #isComplete = false;

  constructor(path: string) {
    this.path = path;
  }

  /** Bytes behind the last line end. */
  get tornBytes(): number {
    return this.#rest.reduce((total, { length }) => total + length, 0);
  }

  /** The lines from where the last call ended to the end of the file. @throws `FILE_INACCESSIBLE` */
  async *lines(): AsyncGenerator<Line> {
    if (this.#isComplete) return;
    const isCompressed = this.path.endsWith('.gz') || !existsSync(this.path);
    const path = isCompressed && !this.path.endsWith('.gz') ? `${this.path}.gz` : this.path;
    const file = createReadStream(path, isCompressed ? {} : { start: this.#offset });
    const content = isCompressed ? file.pipe(createGunzip()) : file;
    // A pipe does not hand on what went wrong before it.
    if (isCompressed) file.on('error', (error) => content.destroy(error));
    let passedOver = isCompressed ? this.#offset : 0;
    try {
      for await (const chunk of content) {
        const fresh = chunk.subarray(passedOver);
        passedOver = Math.max(0, passedOver - chunk.length);
        this.#offset += fresh.length;
        yield* this.#split(fresh);
      }
      this.#isComplete = isCompressed;
    } catch (cause) {
      throw inaccessible(path, cause);
    } finally {
      file.destroy();
    }
  }

  *#split(chunk: Buffer): Generator<Line> {
    let start = 0;
    for (let end = chunk.indexOf(lineEnd); end >= 0; end = chunk.indexOf(lineEnd, start)) {
      const tail = chunk.subarray(start, end);
      const line = this.#rest.length === 0 ? tail : Buffer.concat([...this.#rest, tail]);
      this.#rest = [];
      start = end + 1;
      this.#number++;
      if (line.length > 0) yield { bytes: line, number: this.#number };
    }
    if (start < chunk.length) this.#rest.push(chunk.subarray(start));
  }
}

const lineEnd = 0x0a;
