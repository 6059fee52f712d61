/**
 * Byte strings off the JavaScript heap: slots of rounded sizes in large chunks, with a free list a size class, so
 * that overwriting values for ever takes no more memory than the live ones do.
 *
 * A slot's address counts 8-byte steps through the chunks, which fits 32 bits up to 32 GiB. A string that is larger
 * than the largest class has a chunk of its own, over as many address ranges as it needs.
 */
export class Arena {
  readonly #chunks: (Buffer | undefined)[] = [];
  readonly #freeSlots: number[][] = slotBytes.map(() => []);
  /** Address ranges of released own chunks, by how many ranges they span. */
  readonly #freeRanges = new Map<number, number[]>();
  #openChunk = -1;
  #openOffset = chunkBytes;
  #usedBytes = 0;
  #reservedBytes = 0;

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
    const reused = this.#freeSlots[sizeClass].pop();
    if (reused !== undefined) return reused;
    if (this.#openOffset + size > chunkBytes) this.#openNextChunk();
    const address = (this.#openChunk * chunkBytes + this.#openOffset) / addressStep;
    this.#openOffset += size;
    return address;
  }

  /** Gives back the slot of a string of `length` bytes. */
  release(address: number, length: number): void {
    const sizeClass = classOf(length);
    if (sizeClass >= 0) {
      this.#usedBytes -= slotBytes[sizeClass];
      this.#freeSlots[sizeClass].push(address);
      return;
    }
    const index = (address * addressStep) / chunkBytes;
    const size = this.#chunks[index]?.length ?? 0;
    this.#chunks[index] = undefined;
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
      chunk.set(start === 0 && end === bytes.length ? bytes : bytes.subarray(start, end), offset);
      return;
    }
    for (let i = 0; i < length; i++) chunk[offset + i] = bytes[start + i];
  }

  /** A view of a stored string. Borrowed: valid until its slot is released or written. */
  view(address: number, length: number): Buffer {
    const offset = offsetOf(address);
    return this.chunkOf(address).subarray(offset, offset + length);
  }

  chunkOf(address: number): Buffer {
    return this.#chunks[Math.floor((address * addressStep) / chunkBytes)] as Buffer;
  }

  clear(): void {
    this.#chunks.length = 0;
    for (const slots of this.#freeSlots) slots.length = 0;
    this.#freeRanges.clear();
    this.#openChunk = -1;
    this.#openOffset = chunkBytes;
    this.#usedBytes = 0;
    this.#reservedBytes = 0;
  }

  #openNextChunk(): void {
    // The rest of the open chunk is given to the free lists, largest slots first.
    for (let rest = chunkBytes - this.#openOffset; this.#openChunk >= 0 && rest >= slotBytes[0]; ) {
      let sizeClass = slotBytes.length - 1;
      while (slotBytes[sizeClass] > rest) sizeClass--;
      this.#freeSlots[sizeClass].push((this.#openChunk * chunkBytes + chunkBytes - rest) / addressStep);
      rest -= slotBytes[sizeClass];
    }
    this.#openChunk = this.#chunks.length;
    this.#chunks.push(Buffer.allocUnsafeSlow(chunkBytes));
    this.#reservedBytes += chunkBytes;
    this.#openOffset = 0;
  }

  #allocateOwnChunk(length: number): number {
    const span = Math.ceil(length / chunkBytes);
    const chunk = Buffer.allocUnsafeSlow(length);
    this.#usedBytes += length;
    this.#reservedBytes += length;
    const reused = this.#freeRanges.get(span)?.pop();
    if (reused !== undefined) {
      this.#chunks[reused] = chunk;
      return (reused * chunkBytes) / addressStep;
    }
    const index = this.#chunks.length;
    this.#chunks.push(chunk);
    for (let i = 1; i < span; i++) this.#chunks.push(undefined);
    return (index * chunkBytes) / addressStep;
  }
}

/** Offset of an address within its chunk. */
export const offsetOf = (address: number): number => (address * addressStep) % chunkBytes;

const addressStep = 8;
const chunkBytes = 1 << 20;
const largestSlotBytes = 64 * 1024;
/** Up to this length a loop is quicker than a view and a copy of it. */
const longestLooped = 48;

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
