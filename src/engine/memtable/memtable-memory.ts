import { SpareWords } from './spare-words.js';

/**
 * The memory of a store's memtables: chunks for their arenas, tables for their slots, room for bringing them in order.
 * What a flushed memtable had the next one gets. Memory that is made anew for each costs several times: pages that the
 * system has to find and clear, and with each few MiB of growth that the engine of JavaScript sees it looks through its
 * whole heap, for which writers wait.
 *
 * Chunks are cut from regions, which are as large as all that there are already: memory that was never touched takes
 * none. More than `keptBytes` that nobody uses is let go, by whole regions.
 */
export class MemtableMemory {
  readonly #keptBytes: number;
  readonly #regions = new Map<ArrayBufferLike, Region>();
  /** Chunks that were given back, and those that nobody ever had. */
  #free: Buffer[] = [];
  #untouched: Buffer[] = [];
  /** Full of zeros. Those that grow double: one that is as large as that shall wait for it. */
  readonly #tables = new SpareWords(2);
  readonly #words = new SpareWords(8);
  #chunks = 0;

  constructor(keptBytes = Number.POSITIVE_INFINITY) {
    this.#keptBytes = keptBytes;
  }

  /** Bytes of what was used and is not now. */
  get spareBytes(): number {
    return this.#tables.byteLength + this.#words.byteLength + this.#free.length * chunkBytes;
  }

  /** `chunkBytes` of memory, whatever is in it. */
  takeChunk(): Buffer {
    if (this.#free.length + this.#untouched.length === 0) this.#grow();
    const chunk = (this.#free.pop() ?? this.#untouched.pop()) as Buffer;
    this.#regionOf(chunk).used++;
    return chunk;
  }

  /** Takes chunks back: nobody may read them any more once something is written. */
  giveChunks(chunks: readonly Buffer[]): void {
    for (const chunk of chunks) {
      this.#regionOf(chunk).used--;
      this.#free.push(chunk);
    }
    for (const [buffer, region] of this.#regions) {
      if ((this.#free.length + this.#untouched.length) * chunkBytes <= this.#keptBytes) break;
      if (region.used === 0) this.#drop(buffer, region);
    }
  }

  /** A table of so many zeros. */
  takeTable(length: number): Int32Array {
    return this.#tables.take(length);
  }

  giveTable(table: Int32Array): void {
    table.fill(0);
    this.#tables.give(table);
  }

  /** So many words, whatever is in them. */
  takeWords(length: number): Int32Array {
    return this.#words.take(length);
  }

  giveWords(words: Int32Array): void {
    this.#words.give(words);
  }

  #grow(): void {
    const chunks = Math.min(Math.max(1, this.#chunks), mostChunksOfRegion);
    const region = Buffer.allocUnsafeSlow(chunks * chunkBytes);
    this.#regions.set(region.buffer, { chunks, used: 0 });
    this.#chunks += chunks;
    for (let at = region.length - chunkBytes; at >= 0; at -= chunkBytes)
      this.#untouched.push(region.subarray(at, at + chunkBytes));
  }

  #drop(buffer: ArrayBufferLike, { chunks }: Region): void {
    this.#regions.delete(buffer);
    this.#chunks -= chunks;
    this.#free = this.#free.filter((chunk) => chunk.buffer !== buffer);
    this.#untouched = this.#untouched.filter((chunk) => chunk.buffer !== buffer);
  }

  #regionOf(chunk: Buffer): Region {
    const region = this.#regions.get(chunk.buffer);
    if (region === undefined) throw new Error('a chunk of no region');
    return region;
  }
}

interface Region {
  readonly chunks: number;
  used: number;
}

export const chunkBytes = 1024 * 1024;
const mostChunksOfRegion = 32;
