import { BranchIndexes } from './branch-indexes.js';
import { EntryView } from './entry-view.js';
import { fillHeads, leafHeadsBytes } from './leaf-heads.js';
import { pageBytes } from './page.js';

/** Reads a page from the disk into memory, checked. */
export type ReadPage = (unit: number, into: Buffer, at: number) => void;

/**
 * Pages in memory, up to a limit, off the JavaScript heap: frames in chunks that are made as they are needed, an open
 * hash table from unit to frame, and the clock algorithm to choose what makes room. A page that is used again gets
 * what makes it quick to search: a branch its index, a leaf the heads of its keys, behind it in its frame.
 *
 *   frame   | page, 4096 B | heads, 256 B |
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
  /** The same memory as numbers. */
  readonly #chunkWords: Int32Array[] = [];
  /** Of each frame its unit, 0 = none, its flags, and the place of its branch's index, 0 = none. */
  readonly #records: Uint32Array;
  /** Frame + 1 by hash slot; 0 = empty. Linear probing, deletions shift followers back. */
  readonly #slots: Uint32Array;
  readonly #spare: number[] = [];
  readonly branches: BranchIndexes;
  readonly #entry = new EntryView();
  #frames = 0;
  #hand = 0;

  constructor(limitBytes: number, read: ReadPage) {
    this.#read = read;
    const branchBytes = limitBytes / shareOfBranches;
    this.branches = new BranchIndexes(branchBytes);
    this.#maxFrames = Math.max(minFrames, Math.floor((limitBytes - branchBytes) / frameBytes));
    this.#records = new Uint32Array(this.#maxFrames * recordWords);
    this.#slots = new Uint32Array(2 ** Math.ceil(Math.log2(this.#maxFrames * 2)));
  }

  /** Memory in bytes. */
  get byteLength(): number {
    const tables = this.#slots.byteLength + this.#records.byteLength;
    return this.#chunks.length * chunkBytes + this.branches.byteLength + tables;
  }

  /** Brings a page into memory and points at it. Returns its frame; `guess` is the one where it may well be. */
  fetch(unit: number, guess = -1): number {
    const records = this.#records;
    const frame = guess >= 0 && records[guess * recordWords] === unit ? guess : this.#find(unit);
    if (frame < 0) return this.#load(unit);
    this.hits++;
    const at = frame * recordWords + flagsField;
    if ((records[at] & isRecent) === 0) records[at] |= isRecent;
    this.#pointAt(frame);
    return frame;
  }

  /** Points at a page if it is still in the frame where it was. */
  refetch(unit: number, frame: number): boolean {
    const at = frame * recordWords;
    const records = this.#records;
    if (records[at] !== unit) return false;
    this.hits++;
    if ((records[at + flagsField] & isRecent) === 0) records[at + flagsField] |= isRecent;
    this.#pointAt(frame);
    return true;
  }

  /** Points at a page if it is in memory. */
  peek(unit: number): boolean {
    const frame = this.#find(unit);
    if (frame < 0) return false;
    this.#pointAt(frame);
    return true;
  }

  /** Takes the index of a branch page in use, among `branches`; false when the page is new here, or too many have one. */
  useBranch(frame: number): boolean {
    const at = this.#records[frame * recordWords + branchField] || this.#indexBranch(frame);
    if (at === 0) return false;
    this.branches.use(at);
    return true;
  }

  /** The heads of a leaf begin at `headsAt(frame)` of these; undefined when the page is new here. */
  headsIn(frame: number): Int32Array | undefined {
    if ((this.#records[frame * recordWords + flagsField] & hasHeads) === 0 && !this.#fillHeads(frame))
      return undefined;
    return this.#chunkWords[frame >>> chunkShift];
  }

  /** Takes a page that was just made, in place of whatever was known of its unit. */
  put(unit: number, bytes: Buffer, at: number): void {
    let frame = this.#find(unit);
    if (frame < 0) {
      frame = this.#vacate();
      this.#claim(frame, unit);
    } else {
      this.#forget(frame);
      this.#records[frame * recordWords] = unit;
    }
    this.#records[frame * recordWords + flagsField] = isRecent;
    bytes.copy(this.#chunks[frame >>> chunkShift], (frame & chunkMask) * frameBytes, at, at + pageBytes);
  }

  /** Forgets a page whose unit gets other content. */
  drop(unit: number): void {
    const frame = this.#find(unit);
    if (frame < 0) return;
    this.#release(frame);
    this.#spare.push(frame);
  }

  #load(unit: number): number {
    this.misses++;
    const frame = this.#vacate();
    const chunk = this.#chunks[frame >>> chunkShift];
    const base = (frame & chunkMask) * frameBytes;
    try {
      this.#read(unit, chunk, base);
    } catch (error) {
      this.#spare.push(frame);
      throw error;
    }
    this.#claim(frame, unit);
    this.#records[frame * recordWords + flagsField] = isRecent;
    this.bytes = chunk;
    this.base = base;
    return frame;
  }

  #pointAt(frame: number): void {
    this.bytes = this.#chunks[frame >>> chunkShift];
    this.base = (frame & chunkMask) * frameBytes;
  }

  /** A page that is used once is searched as it is: what makes that quicker takes longer than the search. */
  #isUsedAgain(frame: number): boolean {
    const at = frame * recordWords + flagsField;
    const flags = this.#records[at];
    this.#records[at] = flags | wasSearched;
    return (flags & wasSearched) !== 0;
  }

  #indexBranch(frame: number): number {
    if (!this.#isUsedAgain(frame)) return 0;
    const bytes = this.#chunks[frame >>> chunkShift];
    const at = this.branches.add(bytes, (frame & chunkMask) * frameBytes);
    this.#records[frame * recordWords + branchField] = at;
    return at;
  }

  #fillHeads(frame: number): boolean {
    if (!this.#isUsedAgain(frame)) return false;
    const chunk = frame >>> chunkShift;
    const base = (frame & chunkMask) * frameBytes;
    fillHeads(this.#chunks[chunk], base, this.#entry, this.#chunkWords[chunk], headsAt(frame));
    this.#records[frame * recordWords + flagsField] |= hasHeads;
    return true;
  }

  /** Clears what is known of a frame. */
  #forget(frame: number): void {
    const at = frame * recordWords;
    const branch = this.#records[at + branchField];
    if (branch !== 0) this.branches.remove(branch);
    this.#records.fill(0, at, at + recordWords);
  }

  /** A frame that is free, made free if need be. */
  #vacate(): number {
    const spare = this.#spare.pop();
    if (spare !== undefined) return spare;
    if (this.#frames < this.#maxFrames) {
      if (this.#frames % chunkFrames === 0) this.#addChunk();
      return this.#frames++;
    }
    for (;;) {
      const frame = this.#hand;
      this.#hand = frame + 1 === this.#maxFrames ? 0 : frame + 1;
      const at = frame * recordWords + flagsField;
      if ((this.#records[at] & isRecent) === 0) {
        this.#release(frame);
        return frame;
      }
      this.#records[at] &= ~isRecent;
    }
  }

  #addChunk(): void {
    const chunk = Buffer.allocUnsafeSlow(chunkBytes);
    this.#chunks.push(chunk);
    this.#chunkWords.push(new Int32Array(chunk.buffer, chunk.byteOffset, chunkBytes / 4));
  }

  #find(unit: number): number {
    const slots = this.#slots;
    const mask = slots.length - 1;
    for (let slot = hashOf(unit) & mask; ; slot = (slot + 1) & mask) {
      const entry = slots[slot];
      if (entry === 0) return -1;
      if (this.#records[(entry - 1) * recordWords] === unit) return entry - 1;
    }
  }

  #claim(frame: number, unit: number): void {
    const slots = this.#slots;
    const mask = slots.length - 1;
    let slot = hashOf(unit) & mask;
    while (slots[slot] !== 0) slot = (slot + 1) & mask;
    slots[slot] = frame + 1;
    this.#records[frame * recordWords] = unit;
  }

  #release(frame: number): void {
    const slots = this.#slots;
    const mask = slots.length - 1;
    let hole = hashOf(this.#records[frame * recordWords]) & mask;
    while (slots[hole] !== frame + 1) hole = (hole + 1) & mask;
    // Entries behind the hole move up unless that would put them before their home slot.
    for (let slot = (hole + 1) & mask; slots[slot] !== 0; slot = (slot + 1) & mask) {
      const home = hashOf(this.#records[(slots[slot] - 1) * recordWords]) & mask;
      if (((slot - home) & mask) >= ((slot - hole) & mask)) {
        slots[hole] = slots[slot];
        hole = slot;
      }
    }
    slots[hole] = 0;
    this.#forget(frame);
  }
}

/** Where the heads of the leaf in a frame begin, among the numbers of its chunk. */
export const headsAt = (frame: number): number => ((frame & chunkMask) * frameBytes + pageBytes) / 4;

// The record of a frame: unit, flags, place of the index, and one that is not used, so that none lies across a cache line.
const recordWords = 4;
const flagsField = 1;
const branchField = 2;
/** Used since the clock's hand last passed. */
const isRecent = 1;
const wasSearched = 2;
const hasHeads = 4;

const frameBytes = pageBytes + leafHeadsBytes;
const chunkShift = 8;
const chunkFrames = 1 << chunkShift;
const chunkMask = chunkFrames - 1;
const chunkBytes = chunkFrames * frameBytes;
/** A path from root to leaf, and a few more. */
const minFrames = 64;
/** Of the limit, this part is for the indexes of branch pages. */
const shareOfBranches = 16;
const noBytes = Buffer.alloc(0);

const hashOf = (unit: number): number => {
  const hash = Math.imul(unit, 0x9e3779b1);
  return (hash ^ (hash >>> 15)) >>> 0;
};
