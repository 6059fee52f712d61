import { type Changes, changesPerMark, type KeyRange } from '../changes.js';
import { putBytes, u32 } from '../page.js';

/**
 * Changes on their way to another thread: packed, in order, into chunks of memory that both share.
 *
 *   0               4              8
 *   | key length *2 | value length | key | value |  next change …
 *     u32 LE, + 1     u32 LE
 *     when deleted
 */
export class ChangePacker {
  readonly #changes: Changes;
  /** Large pieces of memory that keys and values lie in, many in each, for reading by words. */
  readonly #views = new Map<Uint8Array, DataView>();

  constructor(changes: Changes) {
    this.#changes = changes;
  }

  get isAtEnd(): boolean {
    return !this.#changes.valid;
  }

  /** Packs the next changes, as many as there is room for; returns how many bytes they take, 0 when the next is too large. */
  packInto(chunk: Uint8Array): number {
    const changes = this.#changes;
    const view = viewOf(chunk);
    let at = 0;
    for (; changes.valid; changes.next()) {
      if (at + packedLength(changes) > chunk.length) break;
      const { keyBytes, keyStart, keyEnd, isDeleted, valueBytes, valueStart, valueEnd } = changes;
      view.setUint32(at, (keyEnd - keyStart) * 2 + (isDeleted ? 1 : 0), true);
      view.setUint32(at + 4, isDeleted ? 0 : valueEnd - valueStart, true);
      at = this.#copy(chunk, view, at + headerBytes, keyBytes, keyStart, keyEnd);
      if (!isDeleted) at = this.#copy(chunk, view, at, valueBytes, valueStart, valueEnd);
    }
    return at;
  }

  /** Most keys and values are so short that making a view of them, for a copy at once, takes longer than copying their words. */
  #copy(chunk: Uint8Array, view: DataView, at: number, from: Uint8Array, start: number, end: number): number {
    const length = end - start;
    if (length < wordBytes || length > longestByWords || from.length < leastViewed)
      return putBytes(chunk, at, from, start, end);
    let source = this.#views.get(from);
    if (source === undefined) {
      source = viewOf(from);
      this.#views.set(from, source);
    }
    const last = length - wordBytes;
    for (let i = 0; i < last; i += wordBytes) view.setInt32(at + i, source.getInt32(start + i, true), true);
    // The last word overlaps the one before where the length is not one of whole words.
    view.setInt32(at + last, source.getInt32(start + last, true), true);
    return at + length;
  }

  /** Packs the next change alone, which there must be. */
  packOne(): Uint8Array<ArrayBuffer> {
    const chunk = new Uint8Array(packedLength(this.#changes));
    this.packInto(chunk);
    return chunk;
  }
}

/** Packed changes. Its memory is given back with `release` when no mark can lie in it any more. */
export interface PackedChunk {
  readonly bytes: Uint8Array;
  release(): void;
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
  readonly #receive: () => PackedChunk | undefined;
  /** Those that a mark may lie in, up to the newest. */
  readonly #chunks: PackedChunk[] = [];
  /** Number of the first of them among all. */
  #firstChunk = 0;
  /** Where the change that follows this one stands. */
  #chunk = 0;
  #at = 0;
  /** Where this change stands. */
  #ownChunk = 0;
  #ownAt = 0;
  #isEnded = false;

  constructor(ranges: readonly KeyRange[], receive: () => PackedChunk | undefined) {
    this.ranges = ranges;
    this.#receive = receive;
    this.next();
  }

  next(): void {
    while (this.#at >= (this.#chunks[this.#chunk - this.#firstChunk]?.bytes.length ?? 0)) {
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
    const newest = this.#chunks.at(-1);
    const inReach = newest !== undefined && hasManyChanges(newest.bytes) ? 1 : mostChunks - 1;
    while (this.#chunks.length > inReach) {
      this.#chunks.shift()?.release();
      this.#firstChunk++;
    }
    this.#chunks.push(received);
    return true;
  }

  #read(): void {
    const { bytes } = this.#chunks[this.#chunk - this.#firstChunk];
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

/** True when a mark behind the chunk is never one before it. */
const hasManyChanges = (bytes: Uint8Array): boolean => {
  let at = 0;
  for (let i = 0; i < changesPerMark && at < bytes.length; i++)
    at += headerBytes + (u32(bytes, at) >>> 1) + u32(bytes, at + 4);
  return at < bytes.length;
};

const packedLength = ({ keyStart, keyEnd, isDeleted, valueStart, valueEnd }: Changes): number =>
  headerBytes + keyEnd - keyStart + (isDeleted ? 0 : valueEnd - valueStart);

/** So many chunks may be kept for marks, should there be but one change in each. */
export const mostChunks = changesPerMark + 2;

const viewOf = (bytes: Uint8Array): DataView =>
  new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

const headerBytes = 8;
const wordBytes = 4;
/** Up to this length words are quicker than a view. */
const longestByWords = 512;
/** Smaller pieces hold too little to keep a view of each. */
const leastViewed = 64 * 1024;
/** More than the length of a chunk; 2^53 is enough for 2^20 of them. */
const markStep = 2 ** 33;
const noBytes = new Uint8Array(0);
