import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { crc32c } from '../../bytes/index.js';
import { codeOf, TailraceError } from '../../errors/index.js';
import { type Files, inaccessible, replaceFile, SerialQueue } from '../../files/index.js';
import type { WalSegment } from './segment.js';

/** The size of a finished segment, and the last sequence number in it. */
export interface Seal {
  readonly number: number;
  readonly sizeBytes: number;
  readonly lastSequence: number;
}

/**
 * The file `SEALS`: what each finished segment must measure. A RocksDB log alone cannot tell a torn tail from a
 * lost one; a sealed segment has no torn tail, so any missing or bad byte in it is damage. The newest segment is
 * sealed when the log is closed or the next one begins, and by recovery.
 *
 * Text, a line a segment: `number sizeBytes lastSequence crc32c`, the CRC (hex) over the line before it.
 */
export class SegmentSeals {
  readonly #directory: string;
  readonly #files: Files;
  readonly #seals = new Map<number, Seal>();
  readonly #saves = new SerialQueue();

  constructor(directory: string, files: Files) {
    this.#directory = directory;
    this.#files = files;
    for (const seal of readSeals(directory)) this.#seals.set(seal.number, seal);
  }

  get(number: number): Seal | undefined {
    return this.#seals.get(number);
  }

  /** Makes seals durable, and with them all names in the directory. */
  add(...seals: readonly Seal[]): Promise<void> {
    for (const seal of seals) this.#seals.set(seal.number, seal);
    return this.#save();
  }

  /** Forgets the seals of segments that were removed: all before the oldest one that is left. */
  dropBefore(oldest: number): Promise<void> {
    for (const number of this.#seals.keys()) if (number < oldest) this.#seals.delete(number);
    return this.#save();
  }

  get all(): readonly Seal[] {
    return [...this.#seals.values()].sort((a, b) => a.number - b.number);
  }

  /** Writes follow each other: a segment may be sealed while others are removed. */
  #save(): Promise<void> {
    return this.#saves.run(() => this.#store());
  }

  async #store(): Promise<void> {
    const path = sealsPath(this.#directory);
    try {
      await replaceFile(this.#files, this.#directory, path, Buffer.from(this.all.map(formatSeal).join('')));
    } catch (cause) {
      throw inaccessible(path, cause);
    }
  }
}

/** The seal of a segment to which nothing is added any more. */
export const sealOf = ({ number, durableBytes, lastSequence }: WalSegment): Seal => ({
  number,
  sizeBytes: durableBytes,
  lastSequence,
});

/** The seals of a directory; none when it has no such file. @throws `WAL_CORRUPT` */
export const readSeals = (directory: string): Seal[] => {
  const path = sealsPath(directory);
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    if (codeOf(cause) === 'ENOENT') return [];
    throw inaccessible(path, cause);
  }
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line, index) => parseSeal(line, path, index + 1));
};

const sealsPath = (directory: string): string => join(directory, 'SEALS');

const formatSeal = ({ number, sizeBytes, lastSequence }: Seal): string => {
  const fields = `${number} ${sizeBytes} ${lastSequence}`;
  return `${fields} ${crc32c(Buffer.from(fields)).toString(16)}\n`;
};

const parseSeal = (line: string, path: string, lineNumber: number): Seal => {
  const [number, sizeBytes, lastSequence] = line.split(' ').map(Number) as [number, number, number, number];
  const seal = { number, sizeBytes, lastSequence };
  if (formatSeal(seal) !== `${line}\n`)
    throw new TailraceError('WAL_CORRUPT', `${path} line ${lineNumber} is damaged`, {
      context: { file: path, line: lineNumber },
      remedy: 'Restore the file from a backup; without it the ends of log segments cannot be verified.',
    });
  return seal;
};
