import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { TailraceError } from '../../errors/index.js';
import { type Files, inaccessible, replaceFile } from '../../files/index.js';
import { otherFormat } from '../other-format.js';
import type { TreeState } from '../tree/index.js';
import type { CheckpointEntry } from './checkpoint.js';

/**
 * The file `CHECKPOINTS`: all checkpoints of a store, replaced as a whole with each change, so that after a crash it
 * is the old list or the new one. Two lines: JSON, then the CRC-32 (hex) of the first.
 *
 * It stands beside the data file, not in it, so that a checkpoint can be made while a flush is under way.
 */
export class CheckpointCatalog {
  readonly #path: string;
  readonly #directory: string;
  readonly #files: Files;
  #writing: Promise<void> = Promise.resolve();

  constructor(directory: string, files: Files) {
    this.#directory = directory;
    this.#path = join(directory, 'CHECKPOINTS');
    this.#files = files;
  }

  /** What the file holds; nothing when there is none. @throws `STORE_CORRUPT` | `FILE_INACCESSIBLE` */
  read(): CheckpointEntry[] {
    if (!existsSync(this.#path)) return [];
    let text: string;
    try {
      text = readFileSync(this.#path, 'utf8');
    } catch (cause) {
      throw inaccessible(this.#path, cause);
    }
    const [line = '', checksum] = text.split('\n');
    if (crc32(line).toString(16) !== checksum) throw this.#damaged('its checksum is wrong');
    const { format, checkpoints } = JSON.parse(line) as { format: number; checkpoints: CheckpointEntry[] };
    if (format !== catalogFormat) throw otherFormat(this.#path, format, catalogFormat);
    return checkpoints;
  }

  /** Makes a list durable, after those that are being written, and after `beforehand`. */
  write(entries: readonly CheckpointEntry[], beforehand: Promise<void> = Promise.resolve()): Promise<void> {
    const line = JSON.stringify({ format: catalogFormat, checkpoints: entries });
    const content = Buffer.from(`${line}\n${crc32(line).toString(16)}\n`);
    beforehand.catch(() => {}); // it may fail before its turn comes, when whoever asked is told
    const write = this.#writing.then(() =>
      replaceFile(this.#files, this.#directory, this.#path, content, beforehand),
    );
    this.#writing = write.catch(() => {}); // who asked for the write is told; the next one is tried all the same
    return write;
  }

  /** Resolves when nothing is being written. */
  whenWritten(): Promise<void> {
    return this.#writing;
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

const catalogFormat = 1;
