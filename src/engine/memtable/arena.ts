import { endianness } from 'node:os';
import { chunkBytes, MemtableMemory } from './memtable-memory.js';

/**
 * Byte strings off the JavaScript heap: slots of rounded sizes in large chunks, with a free list a size class, so
 * that overwriting values for ever takes no more memory than the live ones do.
 *
 * A slot's address counts 8-byte steps through the chunks, which fits 31 bits up to 16 GiB. A string that is larger
 * than the largest class has a chunk of its own, over as many address ranges as it needs.
 */
export class Arena {
  readonly memory: MemtableMemory;
  readonly #chunks: (Buffer | undefined)[] = [];
  /** The same memory. */
  readonly #words: (Int32Array | undefined)[] = [];
  readonly #doubles: (Float64Array | undefined)[] = [];
  /** By size class; most memtables free slots of few. */
  readonly #freeSlots: (number[] | undefined)[] = [];
  /** Address ranges of released own chunks, by how many ranges they span. */
  readonly #freeRanges = new Map<number, number[]>();
  #openChunk = -1;
  #openOffset = chunkBytes;
  /** The chunks that come from the memory of all. */
  #shared: Buffer[] = [];
  #usedBytes = 0;
  /** What was written from last, and the same bytes for reading by words, when it was so twice. */
  #source: Uint8Array | undefined;
  #sourceView: DataView | undefined;
  #reservedBytes = 0;

  constructor(memory = new MemtableMemory()) {
    this.memory = memory;
  }

  /** Bytes in slots that are in use. */
  get usedBytes(): number {
    return this.#usedBytes;
  }

  /** Bytes of all chunks. */
  get reservedBytes(): number {
    return this.#reservedBytes;
  }

  /** Takes a slot for `length` bytes; returns its address. */
  allocate(length: number): number {
    const sizeClass = classOf(length);
    if (sizeClass < 0) return this.#allocateOwnChunk(length);
    const size = slotBytes[sizeClass];
    this.#usedBytes += size;
    const reused = this.#freeSlots[sizeClass]?.pop();
    if (reused !== undefined) return reused;
    if (this.#openOffset + size > chunkBytes) this.#openNextChunk();
    const address = addressOf(this.#openChunk, this.#openOffset);
    this.#openOffset += size;
    return address;
  }

  /** Gives back the slot of a string of `length` bytes. */
  release(address: number, length: number): void {
    const sizeClass = classOf(length);
    if (sizeClass >= 0) {
      this.#usedBytes -= slotBytes[sizeClass];
      this.#noteFree(sizeClass, address);
      return;
    }
    const index = address >>> chunkBits;
    const size = this.#chunks[index]?.length ?? 0;
    this.#setChunk(index, undefined);
    this.#usedBytes -= size;
    this.#reservedBytes -= size;
    const span = Math.ceil(length / chunkBytes);
    const free = this.#freeRanges.get(span);
    if (free === undefined) this.#freeRanges.set(span, [index]);
    else free.push(index);
  }

  /** True when a string of `newLength` bytes takes the same kind of slot as one of `length`. */
  fits(length: number, newLength: number): boolean {
    const sizeClass = classOf(length);
    return sizeClass >= 0 && sizeClass === classOf(newLength);
  }

  write(address: number, bytes: Uint8Array, start: number, end: number): void {
    const chunk = this.chunkOf(address);
    const offset = offsetOf(address);
    const length = end - start;
    if (length > longestLooped) {
      if (start === 0 && end === bytes.length) chunk.set(bytes, offset);
      else if (length > longestByWords || !this.#writeWords(address, bytes, start, end))
        chunk.set(bytes.subarray(start, end), offset);
      return;
    }
    for (let i = 0; i < length; i++) chunk[offset + i] = bytes[start + i];
  }

  /**
   * Writes by words of 4 bytes, which costs less than a view of the bytes: for a source that comes again and again, as the
   * memory does in which batches are built. False, and nothing is written, for any other.
   */
  #writeWords(address: number, bytes: Uint8Array, start: number, end: number): boolean {
    if (bytes !== this.#source) {
      this.#source = bytes.length <= largestSourceBytes ? bytes : undefined;
      this.#sourceView = undefined;
      return false;
    }
    this.#sourceView ??= new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const view = this.#sourceView;
    const words = this.wordsOf(address);
    let at = offsetOf(address) >>> 2;
    let from = start;
    for (const last = end - 3; from < last; from += 4) words[at++] = view.getInt32(from, isLittleEndian);
    const chunk = this.chunkOf(address);
    for (let to = at << 2; from < end; from++, to++) chunk[to] = bytes[from];
    return true;
  }

  /** A view of a stored string. Borrowed: valid until its slot is released or written. */
  view(address: number, length: number): Buffer {
    const offset = offsetOf(address);
    return this.chunkOf(address).subarray(offset, offset + length);
  }

  chunkOf(address: number): Buffer {
    return this.#chunks[address >>> chunkBits] as Buffer;
  }

  /** The chunk of an address as words of 4 bytes. */
  wordsOf(address: number): Int32Array {
    return this.#words[address >>> chunkBits] as Int32Array;
  }

  /** The chunk of an address as doubles. */
  doublesOf(address: number): Float64Array {
    return this.#doubles[address >>> chunkBits] as Float64Array;
  }

  /** Forgets all that is in it and gives its chunks back. */
  clear(): void {
    this.memory.giveChunks(this.#shared);
    this.#shared = [];
    this.#chunks.length = 0;
    this.#words.length = 0;
    this.#doubles.length = 0;
    this.#freeSlots.length = 0;
    this.#freeRanges.clear();
    this.#openChunk = -1;
    this.#openOffset = chunkBytes;
    this.#usedBytes = 0;
    this.#reservedBytes = 0;
  }

  #noteFree(sizeClass: number, address: number): void {
    const slots = this.#freeSlots[sizeClass];
    if (slots === undefined) this.#freeSlots[sizeClass] = [address];
    else slots.push(address);
  }

  #openNextChunk(): void {
    // The rest of the open chunk is given to the free lists, largest slots first.
    for (let rest = chunkBytes - this.#openOffset; this.#openChunk >= 0 && rest >= slotBytes[0]; ) {
      let sizeClass = slotBytes.length - 1;
      while (slotBytes[sizeClass] > rest) sizeClass--;
      this.#noteFree(sizeClass, addressOf(this.#openChunk, chunkBytes - rest));
      rest -= slotBytes[sizeClass];
    }
    const chunk = this.memory.takeChunk();
    this.#shared.push(chunk);
    this.#openChunk = this.#chunks.length;
    this.#setChunk(this.#openChunk, chunk);
    this.#reservedBytes += chunkBytes;
    this.#openOffset = 0;
  }

  #allocateOwnChunk(length: number): number {
    const span = Math.ceil(length / chunkBytes);
    const chunk = Buffer.allocUnsafeSlow(Math.ceil(length / addressStep) * addressStep);
    this.#usedBytes += chunk.length;
    this.#reservedBytes += chunk.length;
    const index = this.#freeRanges.get(span)?.pop() ?? this.#chunks.length;
    this.#setChunk(index, chunk);
    for (let i = this.#chunks.length; i < index + span; i++) this.#setChunk(i, undefined);
    return addressOf(index, 0);
  }

  #setChunk(index: number, chunk: Buffer | undefined): void {
    this.#chunks[index] = chunk;
    this.#words[index] = chunk && new Int32Array(chunk.buffer, chunk.byteOffset, chunk.length / 4);
    this.#doubles[index] = chunk && new Float64Array(chunk.buffer, chunk.byteOffset, chunk.length / 8);
  }
}

/** Offset of an address within its chunk. */
export const offsetOf = (address: number): number => (address & chunkMask) << 3;

const addressOf = (chunk: number, offset: number): number => (chunk << chunkBits) + (offset >>> 3);

export const addressStep = 8;
/** Steps in a chunk, as a power of two. */
const chunkBits = Math.log2(chunkBytes / addressStep);
const chunkMask = (1 << chunkBits) - 1;
const largestSlotBytes = 64 * 1024;
/** Up to this length a loop is quicker than a view and a copy of it. */
const longestLooped = 32;
/** Up to this length words are quicker than a view. */
const longestByWords = 512;
/** The order of bytes in the words of this machine. */
const isLittleEndian = endianness() === 'LE';
/** A larger source is not kept from being freed. */
const largestSourceBytes = 64 * 1024;

/** Slot sizes: every 8 bytes to 128, then eight to the octave. */
const slotBytes: readonly number[] = (() => {
  const sizes: number[] = [];
  for (let size = 8; size <= 128; size += 8) sizes.push(size);
  for (let octave = 128; octave < largestSlotBytes; octave *= 2)
    for (let step = 1; step <= 8; step++) sizes.push(octave + (octave / 8) * step);
  return sizes;
})();

/** Class of a string of `length` bytes; -1 when it gets a chunk of its own. */
const classOf = (length: number): number => {
  if (length <= 128) return length <= 8 ? 0 : (length - 1) >>> 3;
  if (length > largestSlotBytes) return -1;
  const octave = 31 - Math.clz32(length - 1);
  return 16 + (octave - 7) * 8 + (((length - 1) >>> (octave - 3)) & 7);
};
