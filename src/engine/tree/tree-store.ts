import { existsSync } from 'node:fs';
import { isTailraceError } from '../../errors/index.js';
import type { Files } from '../../files/index.js';
import type { ValuePlace } from '../engine-api.js';
import { hashKey } from '../key-hash.js';
import { runInSlices } from '../run-in-slices.js';
import {
  maxUnits,
  type SpaceMap,
  type SpaceMapLocation,
  type SpacePin,
  type VersionedSpace,
} from '../space/index.js';
import type { Changes } from './changes.js';
import { DataFile } from './data-file.js';
import { KeyHints } from './key-hints.js';
import { MergeThread } from './merge-thread/merge-thread.js';
import { mergeTrees } from './merge-trees.js';
import { pageBytes } from './page.js';
import { PageCache } from './page-cache.js';
import { requireFitting, restoreSpace } from './restore-space.js';
import { emptyRoot, superblockUnits, type TreeRoot, unreadable } from './superblock.js';
import { auditTree } from './tree-audit.js';
import { TreeCursor } from './tree-cursor.js';
import { TreeDescent } from './tree-descent.js';
import { TreeLookup } from './tree-lookup.js';
import { UnitSupply } from './unit-supply.js';

/** One state of the data: all trees at one sequence number. */
export interface TreeState {
  readonly epoch: number;
  readonly sequence: number;
  readonly units: number;
  readonly space: SpaceMapLocation | undefined;
  /** By column family id. */
  readonly roots: readonly TreeRoot[];
}

/** A state that is held: none of its pages is written over before `release`. */
export interface HeldState {
  readonly state: TreeState;
  readonly pin: SpacePin;
}

/** How a step to the next state goes along with the rest of the store. */
export interface AdvanceSteps {
  /** The changes are worth a thread of its own, where there can be one. One that is there merges whatever there is. */
  readonly isInThread?: boolean;
  /** How long to work before others get their turn. */
  sliceMs(): number;
  /** Resolves when nothing else stands in the way of the new state's being the newest. */
  beforeSwitch(): Promise<void>;
  /** The new state is durable. Called at once, before the old one is let go. */
  onSwitch?(state: TreeState): void;
  /** What else belongs to the new state; the next one is not begun before it resolves. */
  afterSwitch?(state: TreeState): Promise<void>;
}

/** Of which store the trees are, and what memory and disk they may take. */
export interface TreeStoreOptions {
  readonly storeId: string;
  readonly columnFamilies: number;
  readonly pageCacheBytes: number;
  /** Size that the data file may not exceed. */
  readonly maxDataBytes: number;
  readonly isReadOnly: boolean;
  readonly files: Files;
}

/**
 * The data file of a store and the trees in it: reads of any state that is held, and the step from one durable state
 * to the next.
 *
 * Invariants. What a superblock refers to is durable before it is written, and no unit of the newest durable state,
 * nor of one that is held, is written before a newer superblock is durable and the holder has let go. So a crash at
 * any point leaves the newest durable state whole. States follow each other one at a time.
 */
export class TreeStore {
  readonly file: DataFile;
  readonly space: VersionedSpace;
  readonly cache: PageCache;
  readonly #options: TreeStoreOptions;
  readonly #map: SpaceMap;
  readonly #supply: UnitSupply;
  readonly #descent: TreeDescent;
  readonly #hints: KeyHints;
  readonly #lookup: TreeLookup;
  #durable: HeldState;
  #isReclaiming = false;
  /** Started for the first merge that is large enough; null = there can be none. */
  #thread: MergeThread | null | undefined;

  private constructor(
    file: DataFile,
    space: VersionedSpace,
    map: SpaceMap,
    state: TreeState,
    options: TreeStoreOptions,
  ) {
    this.file = file;
    this.space = space;
    this.cache = new PageCache(options.pageCacheBytes, (unit, into, at) => file.readPage(unit, into, at));
    this.#map = map;
    this.#supply = new UnitSupply(space, Math.min(maxUnits, Math.floor(options.maxDataBytes / pageBytes)));
    this.#options = options;
    this.#descent = new TreeDescent(this.cache, file);
    this.#hints = new KeyHints(options.pageCacheBytes);
    this.#lookup = new TreeLookup(this.cache, this.#descent, this.#hints);
    this.#durable = { state, pin: space.pin() };
  }

  static exists(directory: string): boolean {
    return existsSync(DataFile.pathIn(directory));
  }

  /** Makes the data file of a store that has none yet: its first state is empty. */
  static async create(directory: string, options: TreeStoreOptions): Promise<void> {
    await DataFile.create(directory, options.files, {
      storeId: options.storeId,
      epoch: 1,
      sequence: 0,
      units: superblockUnits,
      space: undefined,
      roots: Array.from({ length: options.columnFamilies }, () => emptyRoot),
    });
  }

  /**
   * Opens the data file at its newest state and holds the older states given, from the oldest to the newest.
   * @throws TailraceError `STORE_CORRUPT` | `FILE_INACCESSIBLE`
   */
  static async open(
    directory: string,
    options: TreeStoreOptions,
    older: readonly TreeState[],
  ): Promise<{ store: TreeStore; held: HeldState[] }> {
    const { file, superblock } = await DataFile.open(directory, options.files, options.isReadOnly);
    try {
      requireFitting(file, superblock, options, older);
      const { space, map, pins } = restoreSpace(file, superblock, older);
      const { storeId: _, ...state } = superblock;
      const store = new TreeStore(file, space, map, state, options);
      return { store, held: older.map((state, i) => ({ state, pin: pins[i] })) };
    } catch (error) {
      file.close();
      throw error;
    }
  }

  /** Memory of the page cache and what belongs to it. */
  get cacheByteLength(): number {
    return this.cache.byteLength + this.#hints.byteLength;
  }

  /** The newest durable state. */
  get state(): TreeState {
    return this.#durable.state;
  }

  /** Holds the newest durable state. */
  hold(): HeldState {
    return { state: this.#durable.state, pin: this.#durable.pin.retain() };
  }

  /** Lets a state go; its space is free soon after. */
  release({ pin }: HeldState): void {
    pin.release();
    this.#reclaimSoon();
  }

  /** The value of a key, or undefined; `hash` is its `hashKey`. Owned by the caller. Hot: bench `engine-store`. */
  get(root: TreeRoot, key: Uint8Array, hash = hashKey(key, 0, key.length)): Buffer | undefined {
    if (root.unit === 0) return undefined;
    const entry = this.#lookup.find(root, key, hash);
    if (entry === undefined) return undefined;
    const { bytes } = this.cache;
    const { isLarge, valueAt, valueLength } = entry;
    if (isLarge) return this.file.readLarge(bytes, valueAt, valueLength);
    const value = Buffer.allocUnsafe(valueLength);
    bytes.copy(value, 0, valueAt, valueAt + valueLength);
    return value;
  }

  /** As `get`, telling where the value lies, until the next read: false = there is none. Hot: bench `server`. */
  locate(root: TreeRoot, key: Uint8Array, hash: number, place: ValuePlace): boolean {
    const entry = this.#lookup.find(root, key, hash);
    if (entry === undefined) return false;
    const { bytes } = this.cache;
    const { isLarge, valueAt, valueLength } = entry;
    place.bytes = isLarge ? this.file.readLarge(bytes, valueAt, valueLength) : bytes;
    place.start = isLarge ? 0 : valueAt;
    place.end = place.start + valueLength;
    return true;
  }

  cursor(root: TreeRoot): TreeCursor {
    return new TreeCursor(root, this.file, this.cache, this.#descent);
  }

  /**
   * Merges changes, by column family, into the newest state and makes the result durable as the state at `sequence`.
   * Works in slices, or in a thread of its own, and lets others run meanwhile.
   * After an error the store must not be advanced again.
   */
  async advance(changes: readonly Changes[], sequence: number, steps: AdvanceSteps): Promise<void> {
    const { state, pin } = this.#durable;
    const epoch = state.epoch + 1;
    this.#trimTail();
    this.#emptyTail();
    try {
      const roots =
        (steps.isInThread || this.#thread
          ? await this.#mergeInThread(epoch, state.roots, changes)
          : undefined) ??
        (await mergeTrees({
          file: this.file,
          cache: this.cache,
          units: this.#supply,
          epoch,
          roots: state.roots,
          changesOf: (family) => changes[family],
          sliceMs: () => steps.sliceMs(),
        }));
      await this.#switchTo({ epoch, sequence, roots }, () => steps.beforeSwitch());
    } finally {
      this.space.offerAll();
    }
    steps.onSwitch?.(this.state);
    try {
      await steps.afterSwitch?.(this.state);
    } finally {
      this.release({ state, pin });
    }
  }

  /** Undefined when there is no thread for it. */
  async #mergeInThread(
    epoch: number,
    roots: readonly TreeRoot[],
    changes: readonly Changes[],
  ): Promise<readonly TreeRoot[] | undefined> {
    const { handle: file } = this.file;
    if (file === undefined) return undefined;
    if (this.#thread === undefined) this.#thread = MergeThread.start() ?? null;
    const merged = await this.#thread?.merge({
      file,
      epoch,
      roots,
      changes,
      units: this.#supply,
      onTaken: ({ start, length }) => {
        for (let i = 0; i < length; i++) this.cache.drop(start + i);
      },
    });
    this.file.bytesWritten += merged?.bytesWritten ?? 0;
    return merged?.roots;
  }

  /** Frees what released pins held, a bit at a time. */
  #reclaimSoon(): void {
    if (this.#isReclaiming) return;
    this.#isReclaiming = true;
    setImmediate(() => {
      this.#isReclaiming = false;
      const deadline = performance.now() + reclaimMs;
      let isLeft = true;
      while (isLeft && performance.now() < deadline) isLeft = this.space.reclaim(1);
      if (isLeft) this.#reclaimSoon();
    });
  }

  async #switchTo(
    next: { epoch: number; sequence: number; roots: readonly TreeRoot[] },
    beforeSwitch: () => Promise<void>,
  ): Promise<void> {
    const plan = this.#planMap();
    const writes: { unit: number; bytes: Uint8Array }[] = [];
    const space = plan.writeTo((unit, bytes) => writes.push({ unit, bytes: bytes.slice() }));
    for (const { unit, bytes } of writes) {
      this.cache.drop(unit);
      await this.file.write(unit, bytes);
    }
    const { units } = this.space;
    await this.file.growTo(units);
    await this.file.sync();
    await beforeSwitch();
    const state: TreeState = { ...next, units, space };
    await this.file.writeSuperblock({ ...state, storeId: this.#options.storeId });
    this.#map.commit();
    this.#lookup.clear(); // a new root may be where an old one was
    this.#durable = { state, pin: plan.pin };
    // Only now: the state before was longer.
    await this.file.shrinkTo(units);
  }

  /** When most of the file is free: what is written goes to the front, so that the end can be cut some time. */
  #emptyTail(): void {
    const { units, freeUnits } = this.space;
    const wanted = 2 * (units - freeUnits) + 2 * spareTailUnits;
    if (units > 1.5 * wanted) this.space.withholdFrom(wanted);
  }

  /** Gives up free units at the end, when they are many: the file is cut once the next state is durable. */
  #trimTail(): void {
    const { units, freeTailUnits } = this.space;
    const spare = Math.max(spareTailUnits, Math.ceil(units / 16));
    if (freeTailUnits > 2 * spare) this.space.shrink(units - freeTailUnits + spare);
  }

  #planMap(): ReturnType<SpaceMap['plan']> {
    // The map grows with the space that it describes: room for it is made before it is planned.
    const needed = 64 + 2 * this.space.pageCount;
    this.#supply.require(needed);
    try {
      return this.#map.plan();
    } catch (error) {
      if (!isTailraceError(error, 'SPACE_EXHAUSTED')) throw error;
      this.#supply.lengthen(needed); // enough is free, but not side by side
      return this.#map.plan();
    }
  }

  /**
   * Checks the newest state: every page, and that the units in use are those that something refers to, no more and no
   * fewer. To be called while no `advance` is under way; then others have their turns, and the state may be followed by others.
   * @throws TailraceError `STORE_CORRUPT` | `INTERNAL` | `STORE_CLOSED`
   */
  async audit(): Promise<void> {
    const held = this.hold();
    try {
      await runInSlices(this.#auditing(held.state), () => auditMs);
    } finally {
      this.release(held);
    }
  }

  /** What tells which units are in use is looked at before the first step ends. */
  *#auditing({ roots }: TreeState): Generator<undefined, void> {
    const { space } = this;
    space.check();
    const { units, liveUnits, pageUnits } = space;
    const live = Array.from({ length: space.pageCount }, (_, page) => space.livePage(page));
    const used = new Uint8Array(units);
    let count = 0;
    const mark = (start: number, length: number): void => {
      for (let unit = start; unit < start + length; unit++) {
        if (used[unit] !== 0) throw unreadable(this.file.path, `unit ${unit} is used twice`);
        used[unit] = 1;
      }
      count += length;
    };
    mark(0, superblockUnits);
    this.#map.forEachUnit(mark);
    for (const root of roots) yield* auditTree(this.file, root, mark);
    for (const [page, bits] of live.entries()) {
      const base = page * pageUnits;
      for (let at = 0; at < pageUnits && base + at < units; at++)
        if (((bits[at >>> 5] >>> (at & 31)) & 1) !== used[base + at])
          throw unreadable(
            this.file.path,
            used[base + at]
              ? `unit ${base + at} is used but not taken`
              : `unit ${base + at} is taken but not used`,
          );
      yield;
    }
    if (count !== liveUnits)
      throw unreadable(this.file.path, `${count} units are used, ${liveUnits} are taken`);
  }

  /** Not while `advance` is under way. */
  async close(): Promise<void> {
    await this.#thread?.close();
    this.file.close();
  }
}

/** How long what else there is may wait for a check. */
const auditMs = 1;
/** How long what waits for the loop may wait for it: a page of the space's map has some ten thousand units. */
const reclaimMs = 1;
/** Free units that stay at the end, at least: they are needed again soon. */
const spareTailUnits = 256;
