import { crc32c, readU32 } from '../../bytes/index.js';
import { TailraceError } from '../../errors/index.js';
import { flipRun } from './bit-runs.js';

/**
 * A log of what a space manager did since its bitmap was saved, for files that are written in place: placements are
 * recorded, never decided again. The user appends frames to a log of theirs, and saves the bitmap now and then.
 *
 *   frame      0            4               8
 *              | CRC-32C    | operations    | operation …        the CRC covers all behind it
 *                u32 LE       u32 LE
 *   operation  0            4
 *              | first unit | length << 1 | isFree
 *                u32 LE       u32 LE
 */
export class SpaceJournal {
  #bytes = Buffer.alloc(initialBytes);
  #end = headerBytes;

  /** Operations since the last `takeFrame`. */
  get operations(): number {
    return (this.#end - headerBytes) / operationBytes;
  }

  allocated(start: number, length: number): void {
    this.#add(start, length, 0);
  }

  freed(start: number, length: number): void {
    this.#add(start, length, 1);
  }

  /** The operations since the last frame as one frame. Owned by the caller. */
  takeFrame(): Buffer {
    this.#bytes.writeUInt32LE(this.operations, 4);
    this.#bytes.writeUInt32LE(crc32c(this.#bytes, 4, this.#end), 0);
    const frame = Buffer.from(this.#bytes.subarray(0, this.#end));
    this.#end = headerBytes;
    return frame;
  }

  #add(start: number, length: number, isFree: 0 | 1): void {
    if (length > maxLength) throw new RangeError(`a run of ${length} units is longer than ${maxLength}`);
    if (this.#end + operationBytes > this.#bytes.length)
      this.#bytes = Buffer.concat([this.#bytes], this.#bytes.length * 2);
    this.#end = this.#bytes.writeUInt32LE(start, this.#end);
    this.#end = this.#bytes.writeUInt32LE(length * 2 + isFree, this.#end);
  }
}

/** How far a journal was whole. */
export interface Replay {
  readonly operations: number;
  /** Bytes up to the end of the last whole frame; what stands behind was torn by a crash. */
  readonly byteLength: number;
}

/**
 * Applies a journal to the words of the bitmap that it began with, in place. For `SpaceManager.recover`.
 * @throws TailraceError `STORE_CORRUPT` when an operation contradicts the bitmap
 */
export const replayJournal = (words: Int32Array, units: number, journal: Uint8Array): Replay => {
  const bytes = Buffer.from(journal.buffer, journal.byteOffset, journal.byteLength);
  let operations = 0;
  let at = 0;
  while (at + headerBytes <= bytes.length) {
    const end = at + headerBytes + bytes.readUInt32LE(at + 4) * operationBytes;
    if (end > bytes.length || crc32c(bytes, at + 4, end) !== bytes.readUInt32LE(at)) break;
    for (at += headerBytes; at < end; at += operationBytes) {
      const start = readU32(bytes, at);
      const packed = readU32(bytes, at + 4);
      const length = packed >>> 1;
      const isFree = (packed & 1) === 1;
      if (length === 0 || start + length > units || !flipRun(words, start, length, isFree))
        throw contradiction(start, length, isFree);
      operations++;
    }
  }
  return { operations, byteLength: at };
};

const contradiction = (start: number, length: number, isFree: boolean): TailraceError =>
  new TailraceError(
    'STORE_CORRUPT',
    `the journal ${isFree ? 'frees' : 'takes'} ${length} units at ${start}, which contradicts the bitmap`,
    {
      context: { start, length },
      remedy: 'The journal does not belong to this bitmap; rebuild the bitmap from the data.',
    },
  );

const headerBytes = 8;
const operationBytes = 8;
const initialBytes = 4096;
const maxLength = 2 ** 31 - 1;
