import type { Layers } from './layers.js';
import { changesOf, type MemtableGroup } from './memtable/index.js';
import { runInSlices } from './run-in-slices.js';
import type { TreeState, TreeStore } from './tree/index.js';
import { WritePace } from './write-pace.js';

/** What a flush needs of the rest of the store. */
export interface FlushHooks {
  /** Makes the log durable up to a sequence number: the trees must never be ahead of it. */
  syncLog(sequence: number): Promise<void>;
  /** True when there must be a state at this very sequence number, at which memtables were frozen. */
  isStateWanted(sequence: number): boolean;
  /** A state has become the durable one. The next one is not begun before this resolves. */
  onState(state: TreeState): Promise<void>;
  /** A flush failed: the store must take no more writes. */
  onFailure(cause: unknown): void;
}

/** The data of which a flush moves a part. */
export interface FlushedData {
  layers(): Layers;
  /** The trees, made if there are none yet. */
  openTrees(): Promise<TreeStore>;
  /** What was in these groups is in the trees now, whose newest state this is. */
  moveToTrees(flushed: readonly MemtableGroup[], trees: TreeStore, state: TreeState): void;
}

/** How much may wait to be flushed, and from when on it is merged in a thread of its own. */
export interface FlushLimits {
  readonly memtableBytes: number;
  readonly threadFromBytes: number;
}

/**
 * Merges frozen memtables into the trees in the background, the oldest first, all that wait at once; and holds up who
 * writes faster than that.
 */
export class Flush {
  readonly #data: FlushedData;
  readonly #limits: FlushLimits;
  #hooks: FlushHooks | undefined;
  #running: Promise<void> | undefined;
  /** Of frozen groups that are brought in order, or have been: one after the other, while the one before is merged. */
  readonly #settled = new WeakMap<MemtableGroup, Promise<void>>();
  #settling: Promise<void> = Promise.resolve();
  #hasFailed = false;
  #workBetween: (() => void)[] = [];
  #roomWaiters: (() => void)[] = [];
  #roomTimer: NodeJS.Timeout | undefined;
  /** Of the merge under way. */
  #pace: WritePace | undefined;

  constructor(data: FlushedData, limits: FlushLimits) {
    this.#data = data;
    this.#limits = limits;
  }

  /** From now on what is frozen is flushed by itself. */
  start(hooks: FlushHooks): void {
    this.#hooks = hooks;
    this.#beginSoon();
  }

  /** A group was frozen. */
  onFrozen(group: MemtableGroup): void {
    if (this.#running !== undefined && !this.#hasFailed) void this.#settle(group);
    this.#beginSoon();
  }

  /** True when writers are so far ahead that they should wait for `whenRoomy`. */
  get isOverfull(): boolean {
    return (this.#isTooFast || this.#isTooLarge) && this.#isUnderWay;
  }

  /** True when what was written is better frozen before memtables are full: the merge that it waits for ends soon. */
  get isReadyForMore(): boolean {
    return this.#pace?.isEndingFor(this.#data.layers().usedBytes) === true;
  }

  /** Resolves when writers may go on. */
  async whenRoomy(): Promise<void> {
    while (this.isOverfull) {
      if (!this.#isTooLarge) this.#wakeRoomWaitersSoon();
      await this.#whenSomeIsFlushed();
    }
  }

  /**
   * Resolves when the memtables can be frozen once more, whatever their size: what freezing adds is one more layer
   * for readers to look through, not memory.
   */
  async whenFreezable(): Promise<void> {
    while (this.#isTooDeep && this.#isUnderWay) await this.#whenSomeIsFlushed();
  }

  /**
   * Resolves when what is frozen now is in the trees, or flushing has failed. What is frozen meanwhile is not waited for:
   * while much is written there is always more.
   */
  async whenFlushed(): Promise<void> {
    const { groups } = this.#data.layers();
    const newest = groups.find(({ isFrozen }) => isFrozen);
    while (newest !== undefined && this.#isUnderWay && this.#data.layers().groups.includes(newest))
      await this.#whenSomeIsFlushed();
  }

  /**
   * Calls `work` while no state is being made, and begins none before it returns: at once, or behind the merge under way.
   */
  betweenStates<Result>(work: () => Promise<Result>): Promise<Result> {
    if (this.#running === undefined) return work();
    return new Promise((resolve) => {
      this.#workBetween.push(() => resolve(work()));
    });
  }

  /** Resolves when nothing frozen is left to flush, or flushing has failed: never, while more is frozen all the time. */
  async whenDone(): Promise<void> {
    while (this.#running !== undefined) await this.#running;
  }

  /** More is written than the merge under way makes room for. */
  get #isTooFast(): boolean {
    return this.#pace?.isExceededBy(this.#data.layers().usedBytes) === true;
  }

  /** Memtables take more memory than they may. */
  get #isTooLarge(): boolean {
    return this.#data.layers().usedBytes > mostMemtables * this.#limits.memtableBytes;
  }

  get #isTooDeep(): boolean {
    return this.#data.layers().groups.length > maxGroups;
  }

  get #isUnderWay(): boolean {
    return !this.#hasFailed && this.#hooks !== undefined;
  }

  #whenSomeIsFlushed(): Promise<void> {
    return new Promise((resolve) => {
      this.#roomWaiters.push(resolve);
    });
  }

  #workBetweenStates(): void {
    for (const work of this.#workBetween.splice(0)) work();
  }

  #wakeRoomWaiters(): void {
    for (const wake of this.#roomWaiters.splice(0)) wake();
  }

  /** As a merge goes on there is more room. */
  #wakeRoomWaitersSoon(): void {
    this.#roomTimer ??= setTimeout(() => {
      this.#roomTimer = undefined;
      this.#wakeRoomWaiters();
    }, pacedMs);
  }

  #beginSoon(): void {
    if (this.#hooks === undefined || this.#hasFailed || this.#running !== undefined) return;
    if (this.#data.layers().groups.length < 2) return;
    this.#running = this.#flushFrozen(this.#hooks)
      .catch((error: unknown) => {
        this.#hasFailed = true;
        this.#hooks?.onFailure(error);
      })
      .finally(() => {
        this.#running = undefined;
        this.#workBetweenStates();
        this.#wakeRoomWaiters();
        this.#beginSoon();
      });
  }

  async #flushFrozen(hooks: FlushHooks): Promise<void> {
    for (;;) {
      this.#workBetweenStates();
      const due = this.#dueGroups(hooks);
      if (due.length === 0) return;
      const { lastSequence } = due[0];
      const trees = await this.#data.openTrees();
      await Promise.all(due.toReversed().map((group) => this.#settle(group)));
      const changes = changesOf(due);
      const bytes = usedBytesOf(due);
      this.#pace = new WritePace(
        bytes,
        this.#data.layers().usedBytes,
        pacedMemtables * this.#limits.memtableBytes,
        changes.progress,
      );
      await trees.advance(changes.byFamily, lastSequence, {
        isInThread: bytes >= this.#limits.threadFromBytes,
        sliceMs: () => sliceMs,
        beforeSwitch: () => hooks.syncLog(lastSequence),
        onSwitch: (state) => {
          this.#data.moveToTrees(due, trees, state);
          this.#pace = undefined;
          this.#wakeRoomWaiters();
        },
        afterSwitch: (state) => hooks.onState(state),
      });
    }
  }

  /**
   * Brings a frozen group in order, after those that are being brought in order already. Begun while the groups before
   * are merged, so that the thread that merges need not wait for it.
   */
  #settle(group: MemtableGroup): Promise<void> {
    const known = this.#settled.get(group);
    if (known !== undefined) return known;
    const settled = this.#settling.then(() =>
      this.#hasFailed ? undefined : runInSlices(group.settling(), () => settlingMs),
    );
    this.#settled.set(group, settled);
    this.#settling = settled.catch(() => {}); // who merges the group is told
    return settled;
  }

  /**
   * The frozen memtables that are merged next, the newest first: all of them, but none behind the first whose state is
   * wanted. Where writers are ahead a page is then made anew once for several memtables.
   */
  #dueGroups(hooks: FlushHooks): MemtableGroup[] {
    const due: MemtableGroup[] = [];
    for (const group of this.#data
      .layers()
      .groups.filter(({ isFrozen }) => isFrozen)
      .reverse()) {
      due.unshift(group);
      if (hooks.isStateWanted(group.lastSequence)) break;
    }
    return due;
  }
}

const usedBytesOf = (groups: readonly MemtableGroup[]): number =>
  groups.reduce((total, { usedBytes }) => total + usedBytes, 0);

/**
 * How many full memtables writers are paced to: two that are merged, two written meanwhile. Somewhat more, for they are
 * rarely full to the byte.
 */
const pacedMemtables = 4.25;
/** How many there may be: room for what is written while a merge does not go on. */
const mostMemtables = 4.5;
/** How long until writers look again how far a merge is. */
const pacedMs = 1;
/** How many layers of memtables there may be: checkpoints freeze them however little is in them. */
const maxGroups = 24;
/**
 * How long the loop's other work waits for that of a flush at a time, at most; with what else may come in the same turn
 * under 5 ms.
 */
const sliceMs = 1;
/** The same for bringing memtables in order, beside which the merge thread is answered in the same turns. */
const settlingMs = 0.5;
