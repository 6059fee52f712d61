import { setTimeout as delay } from 'node:timers/promises';
import { type GarbageRange, garbageOfExpiry, garbageOfSubKeys } from '../data-model/index.js';
import type { Engine } from '../engine/index.js';

/** What a compaction did. */
export interface CompactionResult {
  /** Incarnations of collections, and expired keys, that were dropped. */
  readonly dropped: number;
  readonly tookMs: number;
}

export interface CompactionOptions {
  /** Time between the end of a compaction and the next one; 0 = only when asked for. */
  readonly everyMs: number;
  /** Whether what has expired is dropped too: when nobody can give it more time, and the log need not tell its end. */
  dropsExpired(): boolean;
  readonly nowMs: () => number;
  readonly onDefect: (error: unknown) => void;
}

/**
 * Drops what nobody can see any more: the elements of collections that were deleted, overwritten or have expired, which
 * commands leave behind, as in Kvrocks, whose compaction filters do this. The log is told nothing. Works in slices beside
 * the commands, a few per cent of the time.
 */
export class Compaction {
  readonly #engine: Engine;
  readonly #options: CompactionOptions;
  readonly #stopping = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> | undefined;
  #last: CompactionResult | undefined;

  constructor(engine: Engine, options: CompactionOptions) {
    this.#engine = engine;
    this.#options = options;
    this.#arm();
  }

  get isRunning(): boolean {
    return this.#running !== undefined;
  }

  /** Of the compaction that ended last. */
  get last(): CompactionResult | undefined {
    return this.#last;
  }

  /** Begins a compaction, unless one is under way. */
  start(): void {
    if (this.#running !== undefined || this.#stopping.signal.aborted) return;
    clearTimeout(this.#timer);
    this.#running = this.#run()
      .catch((error: unknown) => {
        if (!this.#stopping.signal.aborted) this.#options.onDefect(error);
      })
      .finally(() => {
        this.#running = undefined;
        this.#arm();
      });
  }

  /** Ends one that is under way: what it has found so far stays dropped. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    clearTimeout(this.#timer);
    await this.#running;
  }

  #arm(): void {
    const { everyMs } = this.#options;
    if (everyMs === 0 || this.#stopping.signal.aborted) return;
    this.#timer = setTimeout(() => this.start(), everyMs);
    this.#timer.unref();
  }

  async #run(): Promise<void> {
    const startedAt = performance.now();
    // As Kvrocks does: a clock that was set back a little must find its keys still there.
    const { dropsExpired, nowMs } = this.#options;
    const judgedAtMs = (): number => (dropsExpired() ? nowMs() - graceMs : 0);
    let dropped = await this.#drop(garbageOfSubKeys(this.#engine, judgedAtMs));
    if (dropsExpired()) dropped += await this.#drop(garbageOfExpiry(this.#engine, judgedAtMs));
    this.#last = { dropped, tookMs: performance.now() - startedAt };
  }

  async #drop(garbage: Generator<readonly GarbageRange[]>): Promise<number> {
    const { signal } = this.#stopping;
    let dropped = 0;
    let unflushed = 0;
    let sliceEnd = performance.now() + sliceMs;
    for (const ranges of garbage) {
      for (const { columnFamily, begin, end } of ranges) this.#engine.discard(columnFamily, begin, end);
      dropped += ranges.length;
      unflushed += ranges.length;
      if (signal.aborted) break;
      // Deleted ranges are looked at by every read until they are merged: they must not become many.
      if (unflushed >= maxRangesInMemory) {
        await this.#engine.flush();
        unflushed = 0;
      }
      if (performance.now() < sliceEnd) continue;
      await delay(pauseMs, undefined, { signal, ref: false }).catch(() => undefined);
      sliceEnd = performance.now() + sliceMs;
    }
    if (unflushed > 0) await this.#engine.flush();
    return dropped;
  }
}

const graceMs = 5 * 60 * 1_000;
const sliceMs = 2;
const pauseMs = 20;
const maxRangesInMemory = 10_000;
