import { EntryView } from './entry-view.js';
import { headOf } from './key-head.js';
import { countOf, pageHeaderBytes, prefixLengthOf, u32 } from './page.js';

/**
 * Branch pages as reads want them: what a search touches lies in few cache lines, and a child is found without the
 * page. The first separator decides nothing, and in the leftmost pages is empty; of the others the prefix that all of
 * them begin with, and the head of each behind it. For each child its unit, and the frame of the page cache where it
 * was found last, which may be another page's by now.
 *
 *   | count | prefixLength | prefix … | every 16th head … | head, head … | unit, frame, unit, frame … |    Int32 each
 *
 * They lie in one piece of memory, which is full when it is full: a branch without an index is searched as it is.
 * Hot: bench `engine-store`.
 */
export class BranchIndexes {
  /** Where the prefix of the index in use begins among `bytes`, and its length. */
  prefixAt = 0;
  prefixLength = 0;
  /** Children of the index in use. */
  count = 0;
  /** After `search`: the separators with the very head wanted, from … up to, not including, … */
  from = 1;
  to = 1;
  readonly bytes: Uint8Array;
  readonly #words: Int32Array;
  readonly #entry = new EntryView();
  /** Places of blocks that are free, by their size class. */
  readonly #free: number[][] = [];
  #end = blockWords; // 0 = no index
  #usedWords = 0;
  #guides = 0;
  #heads = 0;
  #children = 0;

  constructor(limitBytes: number) {
    this.#words = new Int32Array(Math.ceil(limitBytes / 4));
    this.bytes = new Uint8Array(this.#words.buffer);
  }

  get byteLength(): number {
    return this.#usedWords * 4;
  }

  /** Makes the index of a branch page: its place, or 0 when there is no room. */
  add(page: Uint8Array, base: number): number {
    const count = countOf(page, base);
    const inPage = prefixLengthOf(page, base);
    const prefixLength = inPage + this.#sharedSuffix(page, base, count);
    const at = this.#allocate(wordsFor(count, prefixLength));
    if (at === 0) return 0;
    const words = this.#words;
    words[at] = count;
    words[at + 1] = prefixLength;
    this.use(at);
    const entry = this.#entry;
    entry.readBranch(page, base, Math.min(1, count - 1));
    for (let i = 0; i < prefixLength; i++)
      this.bytes[this.prefixAt + i] =
        page[i < inPage ? base + pageHeaderBytes + i : entry.suffixStart + i - inPage];
    for (let i = 0; i < count; i++) {
      entry.readBranch(page, base, i);
      const head = headOf(page, entry.suffixStart + prefixLength - inPage, entry.suffixEnd);
      words[this.#heads + i] = head;
      if (i % guideStep === guideStep - 1) words[this.#guides + (i >>> guideShift)] = head;
      words[this.#children + i * 2] = u32(page, entry.valueAt);
      words[this.#children + i * 2 + 1] = -1;
    }
    return at;
  }

  remove(at: number): void {
    const blocks = blocksOf(wordsFor(this.#words[at], this.#words[at + 1]));
    this.#usedWords -= blocks * blockWords;
    this.#freeBlocks(blocks).push(at);
  }

  /** Makes an index the one in use. */
  use(at: number): void {
    const words = this.#words;
    this.count = words[at];
    this.prefixLength = words[at + 1];
    this.prefixAt = (at + 2) * 4;
    this.#guides = at + 2 + ((this.prefixLength + 3) >>> 2);
    this.#heads = headsFor(this.#guides + (this.count >>> guideShift));
    this.#children = this.#heads + this.count;
  }

  /** Finds the separators that the head of a key cannot be told from: those before are less, those behind are greater. */
  search(head: number): void {
    const words = this.#words;
    const heads = this.#heads;
    const end = heads + this.count;
    // Two cache lines instead of four: the guides tell which sixteen heads to look at.
    let low = this.#guides;
    for (let high = low + (this.count >>> guideShift); low < high; ) {
      const middle = (low + high) >>> 1;
      if (words[middle] < head) low = middle + 1;
      else high = middle;
    }
    low = heads + ((low - this.#guides) << guideShift);
    let high = Math.min(low + guideStep, end);
    if (low === heads) low++; // the first decides nothing
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (words[middle] < head) low = middle + 1;
      else high = middle;
    }
    this.from = low - heads;
    while (low < end && words[low] === head) low++;
    this.to = low - heads;
  }

  unitAt(place: number): number {
    return this.#words[this.#children + place * 2] >>> 0;
  }

  frameAt(place: number): number {
    return this.#words[this.#children + place * 2 + 1];
  }

  /** Notes where a child of the index in use is. */
  noteFrame(place: number, frame: number): void {
    this.#words[this.#children + place * 2 + 1] = frame;
  }

  /** How many bytes the separators but the first share behind the prefix of their page. */
  #sharedSuffix(page: Uint8Array, base: number, count: number): number {
    if (count < 2) return 0;
    const entry = this.#entry;
    entry.readBranch(page, base, 1);
    const { suffixStart, suffixEnd } = entry;
    entry.readBranch(page, base, count - 1);
    const longest = Math.min(suffixEnd - suffixStart, entry.suffixEnd - entry.suffixStart);
    let shared = 0;
    while (shared < longest && page[suffixStart + shared] === page[entry.suffixStart + shared]) shared++;
    return shared;
  }

  #allocate(words: number): number {
    const blocks = blocksOf(words);
    let at = this.#freeBlocks(blocks).pop() ?? 0;
    if (at === 0) {
      if (this.#end + blocks * blockWords > this.#words.length) return 0;
      at = this.#end;
      this.#end += blocks * blockWords;
    }
    this.#usedWords += blocks * blockWords;
    return at;
  }

  #freeBlocks(blocks: number): number[] {
    while (this.#free.length <= blocks) this.#free.push([]);
    return this.#free[blocks];
  }
}

const guideShift = 4;
const guideStep = 1 << guideShift;
/** Indexes take whole blocks, so that one fits where another was. */
const blockWords = 256;

const blocksOf = (words: number): number => Math.ceil(words / blockWords);

/** Heads begin at a cache line. */
const headsFor = (end: number): number => (end + 15) & ~15;

const wordsFor = (count: number, prefixLength: number): number =>
  headsFor(2 + ((prefixLength + 3) >>> 2) + (count >>> guideShift)) + count * 3;
