import { TailraceError } from '../../errors/index.js';
import { clearRun, forEachRun, isBitSet, populationCount, stretchAt } from './bit-runs.js';
import { forEachPage } from './bitmap-pages.js';
import { PinChain, pageKeptFor, pagesChangedBetween } from './pin-chain.js';
import { RetainedUnits } from './retained-units.js';
import { type Run, SpaceManager } from './space-manager.js';
import type { SpacePin } from './space-pin.js';
import { type SpaceStates, takeStates } from './space-states.js';
import { WithheldRuns } from './withheld-runs.js';

/** Settings of a space with versions. */
export interface VersionedSpaceOptions {
  /** Size of a unit, in bytes: a power of two from 512 on. A page of the persisted bitmap is one unit. */
  readonly unitBytes: number;
  /** The longest run that is found without a search of the whole bitmap, in units; default 5 MiB. */
  readonly maxRunUnits?: number;
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
  readonly #retained: RetainedUnits;
  readonly #pins = new PinChain();
  readonly #withheld: WithheldRuns;

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
    this.#retained = new RetainedUnits(this.#pageShift);
    this.#withheld = new WithheldRuns(this.#space, this.#retained);
  }

  /** The space of given states, and their pins in the same order, each held once. */
  static restore(
    options: VersionedSpaceOptions,
    states: SpaceStates,
  ): { space: VersionedSpace; pins: SpacePin[] } {
    let pinned = new Map<number, Int32Array>();
    const space = new VersionedSpace(states.units, options, (words) => {
      pinned = takeStates(words, states, options.unitBytes / 4);
    });
    for (const [page, bits] of pinned)
      forEachRun(bits, space.pageUnits, (at, length) => space.#retained.add(page, at, length));
    const pins = states.pins.map((pages) => {
      const pin = space.#pins.add();
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
    return this.#retained.units;
  }

  /** Units that the newest state uses. */
  get liveUnits(): number {
    return this.units - this.freeUnits - this.#retained.units;
  }

  /** Bytes of memory held: the bitmap, its index, and the pages of pins. */
  get byteLength(): number {
    const pages = this.#retained.pageCount + this.#pins.pageCount;
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
    const pinned = this.#pins.newest?.pages;
    if (pinned === undefined) {
      this.#space.free(start, length);
      return;
    }
    for (let from = start, end = start + length; from < end; ) {
      const page = from >>> this.#pageShift;
      const base = page * this.pageUnits;
      const to = Math.min(end, base + this.pageUnits);
      this.#releaseOfPage(page, pinned.get(page), from - base, to - base);
      from = to;
    }
  }

  /**
   * Of the units of a page the newest pin contains those that are 1 in `pinned`. No closures: merges release many
   * thousands of runs.
   */
  #releaseOfPage(page: number, pinned: Int32Array | undefined, from: number, to: number): void {
    const base = page * this.pageUnits;
    for (let at = from; at < to; ) {
      const count = pinned === undefined ? to - at : stretchAt(pinned, at, to);
      if (pinned !== undefined && isBitSet(pinned, at)) this.#retained.add(page, at, count);
      else this.#space.free(base + at, count);
      at += count;
    }
  }

  /** Pins the present state. Without a change since the newest pin, that one gets one more holder. */
  pin(): SpacePin {
    const { newest } = this.#pins;
    if (newest?.isHeld && newest.pages.size === 0) return newest.retain();
    return this.#pins.add();
  }

  /**
   * Frees what released pins held, up to `maxPages` of the bitmap's pages. Returns true when it freed or may yet
   * free something, false when there was nothing to do. `allocate` calls it before it gives up.
   */
  reclaim(maxPages = Number.POSITIVE_INFINITY): boolean {
    const pins = this.#pins;
    if (pins.firstUnheld === undefined) return false;
    let left = maxPages;
    for (let pin = pins.firstUnheld; pin !== undefined && left > 0; pin = pins.firstUnheld) {
      for (const [page, bits] of pin.pages) {
        if (left-- <= 0) return true;
        this.#dropPage(pin, page, bits);
        pin.pages.delete(page);
      }
      pins.dropFirstUnheld();
    }
    return true;
  }

  /**
   * Hands out nothing from `unit` on while there is room before it, so that the end empties as what is there moves:
   * best fit alone would fill the small gaps at the end again and again. Until `offerAll`, or until nothing fits.
   */
  withholdFrom(unit: number): void {
    this.#withheld.withholdFrom(unit);
  }

  /** Ends `withholdFrom`. */
  offerAll(): void {
    this.#withheld.offerAll();
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
    return pageKeptFor(pin, page) ?? this.livePage(page);
  }

  /** Copies the page as it was at a pin. */
  copyPage(pin: SpacePin, page: number, into: Int32Array): void {
    const bits = pageKeptFor(pin, page);
    if (bits === undefined) this.#copyLivePage(page, into);
    else into.set(bits);
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
    for (const page of pagesChangedBetween(from, to)) {
      const before = this.pageAt(from, page);
      const after = this.pageAt(to, page).map((word, i) => word & ~before[i]);
      forEachRun(after, this.pageUnits, (at, length) => visit(page * this.pageUnits + at, length));
    }
  }

  /** Checks the counters, the index, and that no retained unit is free. @throws `INTERNAL` */
  check(): void {
    this.#space.check();
    let counted = 0;
    this.#retained.forEachRun((page, at, length) => {
      counted += length;
      if (!this.#space.isUsed(page * this.pageUnits + at, length))
        throw this.#fault('check', page * this.pageUnits + at, length, 'retained and free');
    });
    const { units } = this.#retained;
    if (counted !== units) throw this.#fault('check', 0, counted, `retained units are counted as ${units}`);
  }

  /** What is left to try when nothing fits. */
  #findMore(): boolean {
    const hasOffered = !this.#withheld.isEmpty;
    this.offerAll();
    return this.reclaim() || hasOffered;
  }

  /** Before live bits of a run change, puts their pages into the newest pin. */
  #keepPages(start: number, length: number): void {
    const pages = this.#pins.newest?.pages;
    forEachPage(start, length, this.#pageShift, (page) => {
      this.changedPages.add(page);
      if (pages !== undefined && !pages.has(page)) pages.set(page, this.livePage(page));
    });
  }

  /** True when a run lies in one page, as most do, and nothing need be kept of that page. */
  #isKept(start: number, length: number): boolean {
    const page = start >>> this.#pageShift;
    if ((start + length - 1) >>> this.#pageShift !== page) return false;
    this.changedPages.add(page);
    const pages = this.#pins.newest?.pages;
    return pages === undefined || pages.has(page);
  }

  /** The same after runs were taken: their pages are kept as they were before, without any of them. */
  #keepPagesOfTaken(runs: readonly Run[]): void {
    const kept = new Map<number, Int32Array>();
    const pages = this.#pins.newest?.pages;
    for (const { start, length } of runs)
      forEachPage(start, length, this.#pageShift, (page) => {
        this.changedPages.add(page);
        if (pages !== undefined && !pages.has(page) && !kept.has(page)) kept.set(page, this.livePage(page));
      });
    if (pages === undefined || kept.size === 0) return;
    for (const { start, length } of runs)
      forEachPage(start, length, this.#pageShift, (page, from, to) => {
        const bits = kept.get(page);
        if (bits !== undefined) clearRun(bits, from - page * this.pageUnits, to - from);
      });
    for (const [page, bits] of kept) pages.set(page, bits);
  }

  #copyLivePage(page: number, into: Int32Array): void {
    this.#space.copyUsed(page * this.pageUnits, into);
    const retained = this.#retained.page(page);
    if (retained !== undefined) for (let i = 0; i < into.length; i++) into[i] &= ~retained[i];
  }

  /** Hands a dropped pin's page to the next older pin, or frees what neither neighbour contains. */
  #dropPage(pin: SpacePin, page: number, bits: Int32Array): void {
    const { older } = pin;
    if (older !== undefined && !older.pages.has(page)) {
      older.pages.set(page, bits);
      return;
    }
    const free = this.#onlyIn(pin, page, bits);
    if (free === undefined) return;
    this.#retained.removePage(page, free, (at, length) =>
      this.#space.free(page * this.pageUnits + at, length),
    );
  }

  /** Units of a pin's page that neither the newest state nor another pin contains. */
  #onlyIn(pin: SpacePin, page: number, bits: Int32Array): Int32Array | undefined {
    const retained = this.#retained.page(page);
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

  #requireLive(start: number, length: number): void {
    if (!Number.isInteger(start) || start < 0 || length < 1 || start + length > this.units)
      throw this.#fault('release', start, length, 'outside the space');
    if (!this.#space.isUsed(start, length)) throw this.#fault('release', start, length, 'not all in use');
    if (!this.#retained.isRunClear(start, length))
      throw this.#fault('release', start, length, 'released already');
  }

  #fault(operation: string, start: number, length: number, reason: string): TailraceError {
    return new TailraceError('INTERNAL', `space: ${operation} of ${length} units at ${start}: ${reason}`, {
      context: { start, length, units: this.units },
      remedy: 'This is a defect, or the space state does not belong to this data file.',
    });
  }
}

const defaultMaxRunBytes = 5 * 1024 * 1024;
