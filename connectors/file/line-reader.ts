import { createReadStream, existsSync } from 'node:fs';
import { createGunzip } from 'node:zlib';
import { inaccessible, type Line, LineSplitter, refusePipe } from '../../src/kit/index.js';

/**
 * Reads a file line by line, and goes on where it stopped when the file has grown, also when it was compressed
 * meanwhile. What stands behind the last line end is a line that is still being written.
 */
export class LineReader {
  readonly path: string;
  /** Bytes of the content that were read. */
  #offset = 0;
  readonly #splitter = new LineSplitter();
  /** A compressed file is finished: once is enough. */
  #isComplete = false;

  constructor(path: string) {
    this.path = path;
  }

  /** Bytes behind the last line end. */
  get tornBytes(): number {
    return this.#splitter.tornBytes;
  }

  /** The lines from where the last call ended to the end of the file. @throws `FILE_INACCESSIBLE` */
  async *lines(): AsyncGenerator<Line> {
    if (this.#isComplete) return;
    const isCompressed = this.path.endsWith('.gz') || !existsSync(this.path);
    const path = isCompressed && !this.path.endsWith('.gz') ? `${this.path}.gz` : this.path;
    refusePipe(path);
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
        yield* this.#splitter.split(fresh);
      }
      this.#isComplete = isCompressed;
    } catch (cause) {
      throw inaccessible(path, cause);
    } finally {
      file.destroy();
    }
  }
}
