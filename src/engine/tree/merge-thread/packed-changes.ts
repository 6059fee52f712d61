import { type Changes, changesPerMark, type KeyRange } from '../changes.js';
import { putBytes, putU32, u32 } from '../page.js';

/**
 * Changes on their way to another thread: packed, in order, into chunks that are handed over and not copied.
 *
 *   0               4              8
 *   | key length *2 | value length | key | value |  next change …
 *     u32 LE, + 1     u32 LE
 *     when deleted
 */
export class ChangePacker {
  readonly #changes: Changes;

  constructor(changes: Changes) {
    this.#changes = changes;
  }

  get isAtEnd(): boolean {
    return !this.#changes.valid;
  }

  /** The next changes, at most about `limitBytes` of them, at least one if there is one. */
  next(limitBytes: number): Uint8Array<ArrayBuffer> {
    const changes = this.#changes;
    let chunk = new Uint8Array(Math.max(limitBytes, changes.valid ? packedLength(changes) : 0));
    let at = 0;
    for (; changes.valid; changes.next()) {
      if (at + packedLength(changes) > chunk.length) break;
      const { keyBytes, keyStart, keyEnd, isDeleted, valueBytes, valueStart, valueEnd } = changes;
      putU32(chunk, at, (keyEnd - keyStart) * 2 + (isDeleted ? 1 : 0));
      putU32(chunk, at + 4, isDeleted ? 0 : valueEnd - valueStart);
      at = putBytes(chunk, at + headerBytes, keyBytes, keyStart, keyEnd);
      if (!isDeleted) at = putBytes(chunk, at, valueBytes, valueStart, valueEnd);
    }
    if (at < chunk.length / 2) chunk = chunk.slice(0, at);
    return chunk.subarray(0, at);
  }
}

/** Packed changes as they were, from chunks that are asked for one after the other. */
export class PackedChanges implements Changes {
  keyBytes: Uint8Array = noBytes;
  keyStart = 0;
  keyEnd = 0;
  isDeleted = false;
  valueBytes: Uint8Array = noBytes;
  valueStart = 0;
  valueEnd = 0;
  valid = true;
  readonly ranges: readonly KeyRange[];
  /** The next chunk, or undefined behind the last. */
  readonly #receive: () => Uint8Array | undefined;
  /** Those that a mark may lie in, up to the newest. */
  readonly #chunks: Uint8Array[] = [];
  /** Number of the first of them among all. */
  #firstChunk = 0;
  /** Where the change that follows this one stands. */
  #chunk = 0;
  #at = 0;
  /** Where this change stands. */
  #ownChunk = 0;
  #ownAt = 0;
  #isEnded = false;

  constructor(ranges: readonly KeyRange[], receive: () => Uint8Array | undefined) {
    this.ranges = ranges;
    this.#receive = receive;
    this.next();
  }

  next(): void {
    while (this.#at >= (this.#chunks[this.#chunk - this.#firstChunk]?.length ?? 0)) {
      if (this.#chunks.length > 0) this.#chunk++;
      this.#at = 0;
      if (this.#chunk - this.#firstChunk < this.#chunks.length) continue;
      if (!this.#receiveChunk()) {
        this.valid = false;
        return;
      }
    }
    this.#read();
  }

  mark(): number {
    return this.#ownChunk * markStep + this.#ownAt;
  }

  reset(mark: number): void {
    this.#chunk = Math.floor(mark / markStep);
    this.#at = mark % markStep;
    this.valid = true;
    this.#read();
  }

  #receiveChunk(): boolean {
    const received = this.#isEnded ? undefined : this.#receive();
    if (received === undefined) {
      this.#isEnded = true;
      return false;
    }
    this.#chunks.push(received);
    // There is a change in each at least.
    if (this.#chunks.length > changesPerMark + 2) {
      this.#chunks.shift();
      this.#firstChunk++;
    }
    return true;
  }

  #read(): void {
    const bytes = this.#chunks[this.#chunk - this.#firstChunk];
    this.#ownChunk = this.#chunk;
    this.#ownAt = this.#at;
    const key = u32(bytes, this.#at);
    this.isDeleted = (key & 1) !== 0;
    this.keyBytes = bytes;
    this.keyStart = this.#at + headerBytes;
    this.keyEnd = this.keyStart + (key >>> 1);
    this.valueBytes = bytes;
    this.valueStart = this.keyEnd;
    this.valueEnd = this.keyEnd + u32(bytes, this.#at + 4);
    this.#at = this.valueEnd;
  }
}

const packedLength = ({ keyStart, keyEnd, isDeleted, valueStart, valueEnd }: Changes): number =>
  headerBytes + keyEnd - keyStart + (isDeleted ? 0 : valueEnd - valueStart);

const headerBytes = 8;
/** More than the length of a chunk; 2^53 is enough for 2^20 of them. */
const markStep = 2 ** 33;
const noBytes = new Uint8Array(0);
