import { TailraceError } from '../../errors/index.js';
import { clearRun, forEachRun, forEachStretch, isRunClear, populationCount, setRun } from './bit-runs.js';
import { type Run, SpaceManager } from './space-manager.js';
import { SpacePin } from './space-pin.js';

export interface VersionedSpaceOptions {
  /** Size of a unit, in bytes: a power of two from 512 on. A page of the persisted bitmap is one unit. */
  readonly unitBytes: number;
  /** The longest run that is found without a search of the whole bitmap, in units; default 5 MiB. */
  readonly maxRunUnits?: number;
}

/** States to start from: bitmaps by page, 1 = in use. A pin lists only the pages that differ from the next newer state. */
export interface SpaceStates {
  readonly units: number;
  /** Calls `visit` for the pages of the newest state, whose bits are borrowed; pages that are missing are free. */
  readonly forEachNewestPage: (visit: (page: number, bits: Int32Array) => void) => void;
  /** Pinned states, oldest first. */
  readonly pins: readonly ReadonlyMap<number, Int32Array>[];
}

/**
 * Space for data that is never overwritten: a unit that the newest state has released is handed out again only when
 * no pinned state contains it.
 *
 * Each unit is *free*, *live* (in use by the newest state) or *retained* (in use by pinned states only). A unit is
 * live through one unbroken span of states, since it cannot be handed out anew while a pin contains it; so whether
 * dropping a pin frees a unit is seen by looking at the pin's two neighbours alone, and only in the pages that
 * changed between them. Taking a pin costs nothing; dropping one costs what has changed around it.
 *
 * Synchronous; knows nothing of files. `SpaceMap` makes states durable.
 */
export class VersionedSpace {
  readonly unitBytes: number;
  /** Units that one page of the bitmap describes. */
  readonly pageUnits: number;
  /** Pages whose live units have changed since they were last taken from here. */
  readonly changedPages = new Set<number>();
  readonly #space: SpaceManager;
  readonly #pageShift: number;
  readonly #retained = new Map<number, Int32Array>();
  readonly #unheld: SpacePin[] = [];
  /** Free runs that are not handed out for the time being. They count as retained. */
  #withheld: Run[] = [];
  #retainedUnits = 0;
  #newest: SpacePin | undefined;

  /** A space of free units; `takeUsed` may turn those in use into zeros of the words of units. */
  constructor(units: number, options: VersionedSpaceOptions, takeUsed?: (words: Int32Array) => void) {
    const { unitBytes } = options;
    if (!Number.isInteger(Math.log2(unitBytes)) || unitBytes < 512 || unitBytes > 2 ** 20)
      throw new TailraceError(
        'LIMIT_EXCEEDED',
        `a unit of ${unitBytes} bytes is no power of two from 512 to 1 MiB`,
        { context: { unitBytes } },
      );
    this.unitBytes = unitBytes;
    this.pageUnits = unitBytes * 8;
    this.#pageShift = Math.log2(this.pageUnits);
    const maxRunUnits = options.maxRunUnits ?? Math.max(16, Math.ceil(defaultMaxRunBytes / unitBytes));
    this.#space = new SpaceManager(units, { maxRunUnits }, undefined, takeUsed);
  }

  /** The space of given states, and their pins in the same order, each held once. */
  static restore(
    options: VersionedSpaceOptions,
    states: SpaceStates,
  ): { space: VersionedSpace; pins: SpacePin[] } {
    const { units } = states;
    const pageWords = options.unitBytes / 4;
    const wordLimit = Math.ceil(units / 32);
    const pinned = unionOf(states.pins);
    const space = new VersionedSpace(units, options, (words) => {
      states.forEachNewestPage((page, bits) => {
        const base = page * pageWords;
        const count = Math.min(pageWords, wordLimit - base);
        for (let i = 0; i < count; i++) words[base + i] &= ~bits[i];
      });
      // What a pin contains and the newest state does not is retained.
      for (const [page, bits] of pinned) {
        const base = page * pageWords;
        for (let i = 0; i < bits.length; i++) {
          const free = base + i < wordLimit ? words[base + i] : 0;
          if (base + i < wordLimit) words[base + i] = free & ~bits[i];
          bits[i] &= free;
        }
      }
    });
    for (const [page, bits] of pinned)
      forEachRun(bits, space.pageUnits, (at, length) => space.#retain(page, at, length));
    const pins = states.pins.map((pages) => {
      const pin = space.#addPin();
      for (const [page, bits] of pages) pin.pages.set(page, bits);
      return pin;
    });
    return { space, pins };
  }

  get units(): number {
    return this.#space.units;
  }

  /** Units that can be handed out now. */
  get freeUnits(): number {
    return this.#space.freeUnits;
  }

  /** Units that only pinned states use. */
  get retainedUnits(): number {
    return this.#retainedUnits;
  }

  /** Units that the newest state uses. */
  get liveUnits(): number {
    return this.units - this.freeUnits - this.#retainedUnits;
  }

  /** Bytes of memory held: the bitmap, its index, and the pages of pins. */
  get byteLength(): number {
    let pages = this.#retained.size;
    for (let pin = this.#newest; pin !== undefined; pin = pin.older) pages += pin.pages.size;
    return this.#space.byteLength + pages * this.unitBytes;
  }

  /** Number of pages that describe the whole space. */
  get pageCount(): number {
    return Math.ceil(this.units / this.pageUnits);
  }

  /**
   * Takes the best-fitting contiguous run, cut to exactly `length` units: its first unit, or -1 when there is none
   * (grow, or ask for several runs). Any part of a run may be released alone.
   */
  allocate(length: number): number {
    let start = this.#space.allocate(length);
    if (start < 0 && this.#findMore()) start = this.#space.allocate(length);
    if (start >= 0 && !this.#isKept(start, length)) this.#keepPagesOfTaken([{ start, length }]);
    return start;
  }

  /** Takes `length` units in one run, or in as few as there must be up to `maxRuns`; undefined when that is not enough. */
  allocateRuns(length: number, maxRuns = 4): Run[] | undefined {
    let runs = this.#space.allocateRuns(length, maxRuns);
    if (runs === undefined && this.#findMore()) runs = this.#space.allocateRuns(length, maxRuns);
    if (runs !== undefined) this.#keepPagesOfTaken(runs);
    return runs;
  }

  /** The newest state uses the run no longer. What no pinned state contains is free at once. */
  release(start: number, length: number): void {
    this.#requireLive(start, length);
    if (!this.#isKept(start, length)) this.#keepPages(start, length);
    if (this.#newest === undefined) {
      this.#space.free(start, length);
      return;
    }
    const pinned = this.#newest.pages;
    this.#forEachPage(start, length, (page, from, to) => {
      const bits = pinned.get(page);
      const base = page * this.pageUnits;
      forEachStretch(bits, from - base, to - base, (isPinned, at, count) => {
        if (isPinned) this.#retain(page, at, count);
        else this.#space.free(base + at, count);
      });
    });
  }

  /** Pins the present state. Without a change since the newest pin, that one gets one more holder. */
  pin(): SpacePin {
    const newest = this.#newest;
    if (newest?.isHeld && newest.pages.size === 0) return newest.retain();
    return this.#addPin();
  }

  /**
   * Frees what released pins held, up to `maxPages` of the bitmap's pages. Returns true when it freed or may yet
   * free something, false when there was nothing to do. `allocate` calls it before it gives up.
   */
  reclaim(maxPages = Number.POSITIVE_INFINITY): boolean {
    if (this.#unheld.length === 0) return false;
    let left = maxPages;
    for (let pin = this.#unheld[0]; pin !== undefined && left > 0; pin = this.#unheld[0]) {
      for (const [page, bits] of pin.pages) {
        if (left-- <= 0) return true;
        this.#dropPage(pin, page, bits);
        pin.pages.delete(page);
      }
      this.#unlink(pin);
      this.#unheld.shift();
    }
    return true;
  }

  /** True while released pins wait for `reclaim`. */
  get hasReclaimable(): boolean {
    return this.#unheld.length > 0;
  }

  /**
   * Hands out nothing from `unit` on while there is room before it, so that the end empties as what is there moves:
   * best fit alone would fill the small gaps at the end again and again. Until `offerAll`, or until nothing fits.
   */
  withholdFrom(unit: number): void {
    this.offerAll();
    const runs: Run[] = [];
    this.#space.forEachFreeRun((start, length) => {
      const from = Math.max(start, unit);
      if (from < start + length) runs.push({ start: from, length: start + length - from });
    });
    if (runs.length > maxWithheldRuns) return;
    for (const { start, length } of runs) {
      this.#space.reserve(start, length);
      this.#forEachPage(start, length, (page, from, to) =>
        this.#retain(page, from - page * this.pageUnits, to - from),
      );
    }
    this.#withheld = runs;
  }

  /** Ends `withholdFrom`. */
  offerAll(): void {
    for (const { start, length } of this.#withheld.splice(0)) {
      this.#forEachPage(start, length, (page, from, to) => {
        const base = page * this.pageUnits;
        const retained = this.#retained.get(page);
        if (retained !== undefined) clearRun(retained, from - base, to - from);
        this.#retainedUnits -= to - from;
      });
      this.#space.free(start, length);
    }
  }

  /** Adds free units at the end. */
  grow(units: number): void {
    this.#space.grow(units);
  }

  /** Free units at the very end: what `shrink` can give back to the file system. */
  get freeTailUnits(): number {
    return this.#space.freeTailUnits;
  }

  /** Drops free units from the end; the caller truncates its file to the same size. */
  shrink(units: number): void {
    this.#space.shrink(units);
    for (const page of this.changedPages) if (page >= this.pageCount) this.changedPages.delete(page);
  }

  /** A copy of the newest state's page: 1 = in use. */
  livePage(page: number): Int32Array {
    const bits = new Int32Array(this.pageUnits >>> 5);
    this.#copyLivePage(page, bits);
    return bits;
  }

  /** The page as it was at a pin. Borrowed when the pin has its own, a copy when it is the present one. */
  pageAt(pin: SpacePin | undefined, page: number): Int32Array {
    for (let at = pin; at !== undefined; at = at.newer) {
      const bits = at.pages.get(page);
      if (bits !== undefined) return bits;
    }
    return this.livePage(page);
  }

  /** Copies the page as it was at a pin. */
  copyPage(pin: SpacePin, page: number, into: Int32Array): void {
    for (let at: SpacePin | undefined = pin; at !== undefined; at = at.newer) {
      const bits = at.pages.get(page);
      if (bits !== undefined) {
        into.set(bits);
        return;
      }
    }
    this.#copyLivePage(page, into);
  }

  /** Units that would be free if this pin alone were released. */
  uniqueUnits(pin: SpacePin): number {
    let total = 0;
    for (const [page, bits] of pin.pages) {
      const only = this.#onlyIn(pin, page, bits);
      if (only !== undefined) for (const word of only) total += populationCount(word);
    }
    return total;
  }

  /** Runs that are in use at `to` (undefined = now) and were not at `from`, an older pin: all that was written between. */
  forEachWrittenRun(
    from: SpacePin,
    to: SpacePin | undefined,
    visit: (start: number, length: number) => void,
  ): void {
    const pages = new Set<number>();
    for (let pin: SpacePin | undefined = from; pin !== undefined && pin !== to; pin = pin.newer)
      for (const page of pin.pages.keys()) pages.add(page);
    for (const page of [...pages].sort((a, b) => a - b)) {
      const before = this.pageAt(from, page);
      const after = this.pageAt(to, page).map((word, i) => word & ~before[i]);
      forEachRun(after, this.pageUnits, (at, length) => visit(page * this.pageUnits + at, length));
    }
  }

  /** Checks the counters, the index, and that no retained unit is free. @throws `INTERNAL` */
  check(): void {
    this.#space.check();
    let counted = 0;
    for (const [page, bits] of this.#retained)
      forEachRun(bits, this.pageUnits, (at, length) => {
        counted += length;
        if (!this.#space.isUsed(page * this.pageUnits + at, length))
          throw this.#fault('check', page * this.pageUnits + at, length, 'retained and free');
      });
    if (counted !== this.#retainedUnits)
      throw this.#fault('check', 0, counted, `retained units are counted as ${this.#retainedUnits}`);
  }

  /** What is left to try when nothing fits. */
  #findMore(): boolean {
    const hasOffered = this.#withheld.length > 0;
    this.offerAll();
    return this.reclaim() || hasOffered;
  }

  /** Before live bits of a run change, puts their pages into the newest pin. */
  #keepPages(start: number, length: number): void {
    const pages = this.#newest?.pages;
    this.#forEachPage(start, length, (page) => {
      this.changedPages.add(page);
      if (pages !== undefined && !pages.has(page)) pages.set(page, this.livePage(page));
    });
  }

  /** True when a run lies in one page, as most do, and nothing need be kept of that page. */
  #isKept(start: number, length: number): boolean {
    const page = start >>> this.#pageShift;
    if ((start + length - 1) >>> this.#pageShift !== page) return false;
    this.changedPages.add(page);
    const pages = this.#newest?.pages;
    return pages === undefined || pages.has(page);
  }

  /** The same after runs were taken: their pages are kept as they were before, without any of them. */
  #keepPagesOfTaken(runs: readonly Run[]): void {
    const kept = new Map<number, Int32Array>();
    const pages = this.#newest?.pages;
    for (const { start, length } of runs)
      this.#forEachPage(start, length, (page) => {
        this.changedPages.add(page);
        if (pages !== undefined && !pages.has(page) && !kept.has(page)) kept.set(page, this.livePage(page));
      });
    if (pages === undefined || kept.size === 0) return;
    for (const { start, length } of runs)
      this.#forEachPage(start, length, (page, from, to) => {
        const bits = kept.get(page);
        if (bits !== undefined) clearRun(bits, from - page * this.pageUnits, to - from);
      });
    for (const [page, bits] of kept) pages.set(page, bits);
  }

  #copyLivePage(page: number, into: Int32Array): void {
    this.#space.copyUsed(page * this.pageUnits, into);
    const retained = this.#retained.get(page);
    if (retained !== undefined) for (let i = 0; i < into.length; i++) into[i] &= ~retained[i];
  }

  #retain(page: number, at: number, count: number): void {
    let bits = this.#retained.get(page);
    if (bits === undefined) {
      bits = new Int32Array(this.pageUnits >>> 5);
      this.#retained.set(page, bits);
    }
    setRun(bits, at, count);
    this.#retainedUnits += count;
  }

  /** Hands a dropped pin's page to the next older pin, or frees what neither neighbour contains. */
  #dropPage(pin: SpacePin, page: number, bits: Int32Array): void {
    const { older } = pin;
    if (older !== undefined && !older.pages.has(page)) {
      older.pages.set(page, bits);
      return;
    }
    const free = this.#onlyIn(pin, page, bits);
    const retained = this.#retained.get(page);
    if (free === undefined || retained === undefined) return;
    let isEmpty = true;
    for (let i = 0; i < free.length; i++) {
      retained[i] &= ~free[i];
      if (retained[i] !== 0) isEmpty = false;
    }
    if (isEmpty) this.#retained.delete(page);
    forEachRun(free, this.pageUnits, (at, length) => {
      this.#retainedUnits -= length;
      this.#space.free(page * this.pageUnits + at, length);
    });
  }

  /** Units of a pin's page that neither the newest state nor another pin contains. */
  #onlyIn(pin: SpacePin, page: number, bits: Int32Array): Int32Array | undefined {
    const retained = this.#retained.get(page);
    if (retained === undefined) return undefined;
    const { older } = pin;
    if (older !== undefined && !older.pages.has(page)) return undefined; // the older pin has the very same page
    const before = older?.pages.get(page);
    const after = pin.newer === undefined ? undefined : this.pageAt(pin.newer, page);
    const only = new Int32Array(bits.length);
    for (let i = 0; i < bits.length; i++) {
      let word = bits[i] & retained[i];
      if (before !== undefined) word &= ~before[i];
      if (after !== undefined) word &= ~after[i];
      only[i] = word;
    }
    return only;
  }

  #unlink(pin: SpacePin): void {
    if (pin.older !== undefined) pin.older.newer = pin.newer;
    if (pin.newer === undefined) this.#newest = pin.older;
    else pin.newer.older = pin.older;
  }

  #forEachPage(start: number, length: number, visit: (page: number, from: number, to: number) => void): void {
    const end = start + length;
    for (let from = start; from < end; ) {
      const page = from >>> this.#pageShift;
      const to = Math.min(end, (page + 1) * this.pageUnits);
      visit(page, from, to);
      from = to;
    }
  }

  #addPin(): SpacePin {
    const pin: SpacePin = new SpacePin(this.#newest, () => this.#unheld.push(pin));
    this.#newest = pin;
    return pin;
  }

  #requireLive(start: number, length: number): void {
    if (!Number.isInteger(start) || start < 0 || length < 1 || start + length > this.units)
      throw this.#fault('release', start, length, 'outside the space');
    if (!this.#space.isUsed(start, length)) throw this.#fault('release', start, length, 'not all in use');
    if (this.#retained.size === 0) return;
    this.#forEachPage(start, length, (page, from, to) => {
      const retained = this.#retained.get(page);
      if (retained !== undefined && !isRunClear(retained, from - page * this.pageUnits, to - from))
        throw this.#fault('release', start, length, 'released already');
    });
  }

  #fault(operation: string, start: number, length: number, reason: string): TailraceError {
    return new TailraceError('INTERNAL', `space: ${operation} of ${length} units at ${start}: ${reason}`, {
      context: { start, length, units: this.units },
      remedy: 'This is a defect, or the space state does not belong to this data file.',
    });
  }
}

/** More are not worth the time that it takes. */
const maxWithheldRuns = 20_000;

const defaultMaxRunBytes = 5 * 1024 * 1024;

const unionOf = (states: readonly ReadonlyMap<number, Int32Array>[]): Map<number, Int32Array> => {
  const union = new Map<number, Int32Array>();
  for (const pages of states)
    for (const [page, bits] of pages) {
      const into = union.get(page);
      if (into === undefined) union.set(page, bits.slice());
      else for (let i = 0; i < bits.length; i++) into[i] |= bits[i];
    }
  return union;
};
