import { pageBytes } from './page.js';

/** Reads a page from the disk into memory, checked. */
export type ReadPage = (unit: number, into: Buffer, at: number) => void;

/**
 * Pages in memory, up to a limit, off the JavaScript heap: frames in chunks that are made as they are needed, an open
 * hash table from unit to frame, and the clock algorithm to choose what makes room.
 *
 * `fetch` leaves the place of the page in `bytes` and `base`: good until the next call, never to be handed out.
 */
export class PageCache {
  bytes: Buffer = noBytes;
  base = 0;
  hits = 0;
  misses = 0;
  readonly #read: ReadPage;
  readonly #maxFrames: number;
  readonly #chunks: Buffer[] = [];
  /** Unit by frame. */
  readonly #unitOf: Uint32Array;
  /** 1 = used since the clock's hand last passed. */
  readonly #isRecent: Uint8Array;
  /** Frame + 1 by hash slot; 0 = empty. Linear probing, deletions shift followers back. */
  readonly #slots: Uint32Array;
  readonly #spare: number[] = [];
  #frames = 0;
  #hand = 0;

  constructor(limitBytes: number, read: ReadPage) {
    this.#read = read;
    this.#maxFrames = Math.max(minFrames, Math.floor(limitBytes / pageBytes));
    this.#unitOf = new Uint32Array(this.#maxFrames);
    this.#isRecent = new Uint8Array(this.#maxFrames);
    this.#slots = new Uint32Array(2 ** Math.ceil(Math.log2(this.#maxFrames * 2)));
  }

  /** Memory in bytes. */
  get byteLength(): number {
    return this.#chunks.length * chunkBytes + this.#slots.byteLength + this.#maxFrames * 5;
  }

  /** Brings a page into memory and points at it. */
  fetch(unit: number): void {
    let frame = this.#find(unit);
    if (frame >= 0) {
      this.hits++;
    } else {
      this.misses++;
      frame = this.#vacate();
      const chunk = this.#chunks[frame >>> chunkShift];
      try {
        this.#read(unit, chunk, (frame & chunkMask) * pageBytes);
      } catch (error) {
        this.#spare.push(frame);
        throw error;
      }
      this.#claim(frame, unit);
    }
    this.#isRecent[frame] = 1;
    this.bytes = this.#chunks[frame >>> chunkShift];
    this.base = (frame & chunkMask) * pageBytes;
  }

  /** Points at a page if it is in memory. */
  peek(unit: number): boolean {
    const frame = this.#find(unit);
    if (frame < 0) return false;
    this.bytes = this.#chunks[frame >>> chunkShift];
    this.base = (frame & chunkMask) * pageBytes;
    return true;
  }

  /** Takes a page that was just made, in place of whatever was known of its unit. */
  put(unit: number, bytes: Buffer, at: number): void {
    let frame = this.#find(unit);
    if (frame < 0) {
      frame = this.#vacate();
      this.#claim(frame, unit);
    }
    this.#isRecent[frame] = 1;
    bytes.copy(this.#chunks[frame >>> chunkShift], (frame & chunkMask) * pageBytes, at, at + pageBytes);
  }

  /** Forgets a page whose unit gets other content. */
  drop(unit: number): void {
    const frame = this.#find(unit);
    if (frame < 0) return;
    this.#release(frame);
    this.#spare.push(frame);
  }

  /** A frame that is free, made free if need be. */
  #vacate(): number {
    const spare = this.#spare.pop();
    if (spare !== undefined) return spare;
    if (this.#frames < this.#maxFrames) {
      if (this.#frames % chunkFrames === 0) this.#chunks.push(Buffer.allocUnsafeSlow(chunkBytes));
      return this.#frames++;
    }
    for (;;) {
      const frame = this.#hand;
      this.#hand = frame + 1 === this.#maxFrames ? 0 : frame + 1;
      if (this.#isRecent[frame] === 0) {
        this.#release(frame);
        return frame;
      }
      this.#isRecent[frame] = 0;
    }
  }

  #find(unit: number): number {
    const slots = this.#slots;
    const mask = slots.length - 1;
    for (let slot = hashOf(unit) & mask; ; slot = (slot + 1) & mask) {
      const entry = slots[slot];
      if (entry === 0) return -1;
      if (this.#unitOf[entry - 1] === unit) return entry - 1;
    }
  }

  #claim(frame: number, unit: number): void {
    const slots = this.#slots;
    const mask = slots.length - 1;
    let slot = hashOf(unit) & mask;
    while (slots[slot] !== 0) slot = (slot + 1) & mask;
    slots[slot] = frame + 1;
    this.#unitOf[frame] = unit;
  }

  #release(frame: number): void {
    const slots = this.#slots;
    const mask = slots.length - 1;
    let hole = hashOf(this.#unitOf[frame]) & mask;
    while (slots[hole] !== frame + 1) hole = (hole + 1) & mask;
    // Entries behind the hole move up unless that would put them before their home slot.
    for (let slot = (hole + 1) & mask; slots[slot] !== 0; slot = (slot + 1) & mask) {
      const home = hashOf(this.#unitOf[slots[slot] - 1]) & mask;
      if (((slot - home) & mask) >= ((slot - hole) & mask)) {
        slots[hole] = slots[slot];
        hole = slot;
      }
    }
    slots[hole] = 0;
    this.#isRecent[frame] = 0;
  }
}

const chunkShift = 8;
const chunkFrames = 1 << chunkShift;
const chunkMask = chunkFrames - 1;
const chunkBytes = chunkFrames * pageBytes;
/** A path from root to leaf, and a few more. */
const minFrames = 64;
const noBytes = Buffer.alloc(0);

const hashOf = (unit: number): number => {
  const hash = Math.imul(unit, 0x9e3779b1);
  return (hash ^ (hash >>> 15)) >>> 0;
};
