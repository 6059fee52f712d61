import { existsSync, readdirSync, realpathSync } from 'node:fs';
import { basename, dirname, extname, join } from 'node:path';

/**
 * The files of a sink. Without rotation there is one, segment 0, which is `path` itself. With rotation they are
 * numbered from 1: `orders.ndjson` becomes `orders.000001.ndjson`, `orders.000002.ndjson` … The last one is being
 * written. Raw segments are files of a directory, `path`, with the names that RocksDB gives its logs: `000001.log` …
 */
export class SegmentNames {
  readonly directory: string;
  /** Where the journal of the segments lies: this, and its own ending. */
  readonly company: string;
  readonly #stem: string;
  readonly #extension: string;
  readonly #path: string;

  constructor(path: string, isRaw: boolean) {
    this.#path = path;
    this.directory = isRaw ? path : dirname(path);
    this.company = isRaw ? join(path, 'segments') : path;
    this.#extension = isRaw ? '.log' : extname(path);
    this.#stem = isRaw ? '' : `${basename(path, this.#extension)}.`;
  }

  /** The lock is that of the file itself, whatever links lead to it. */
  get lock(): string {
    return `${existsSync(this.company) ? realpathSync(this.company) : this.company}.lock`;
  }

  fileOf(segment: number): string {
    if (segment === 0) return this.#path;
    return join(
      this.directory,
      `${this.#stem}${String(segment).padStart(numberDigits, '0')}${this.#extension}`,
    );
  }

  /** Segments before `active` that lie there as they were written, not compressed, in order. */
  finished(active: number): number[] {
    const numbers: number[] = [];
    for (const name of readdirSync(this.directory)) {
      if (!name.startsWith(this.#stem) || !name.endsWith(this.#extension)) continue;
      const digits = name.slice(this.#stem.length, name.length - this.#extension.length);
      if (/^\d{6,}$/.test(digits) && Number(digits) < active) numbers.push(Number(digits));
    }
    return numbers.sort((a, b) => a - b);
  }
}

const numberDigits = 6;
