import { performance } from 'node:perf_hooks'; // the global one is looked up at each use
import type { TableEntry } from './command-table.js';

/**
 * Counts the calls of a connection and what they take. A look at the clock costs as much as a small command, so the end of
 * one call is the start of the next, and quick calls of one command that follow each other share a look.
 */
export class CallClock {
  #startMs = 0;
  /** The command whose last calls are counted but not timed. */
  #untimed: TableEntry | undefined;
  #untimedCalls = 0;

  start(): void {
    this.#untimed = undefined;
    this.#startMs = performance.now();
  }

  /** The last call before a rest has ended. */
  stop(): void {
    if (this.#untimed !== undefined) this.#time(this.#untimed);
  }

  /** A call begins: those of another command must be timed before it takes its time. */
  begins(entry: TableEntry): void {
    if (this.#untimed !== undefined && this.#untimed !== entry) this.#time(this.#untimed);
  }

  /**
   * A call has ended. Returns the microseconds of it, or of all calls that share the look at the clock; 0 for a quick
   * one that a later look will time.
   */
  ended(entry: TableEntry, slowMicroseconds: number): number {
    entry.calls++;
    const isShared = entry.isQuick && (slowMicroseconds < 0 || slowMicroseconds >= clearlySlowMicroseconds);
    if (isShared && ++this.#untimedCalls < sharedCalls) {
      this.#untimed = entry;
      return 0;
    }
    return this.#time(entry);
  }

  #time(entry: TableEntry): number {
    const nowMs = performance.now();
    const microseconds = (nowMs - this.#startMs) * 1000;
    this.#startMs = nowMs;
    this.#untimed = undefined;
    this.#untimedCalls = 0;
    entry.microseconds += microseconds;
    return microseconds;
  }
}

/** So many quick calls share one look at the clock. */
const sharedCalls = 16;
/** So long no quick calls take together unless one of them was held up. */
const clearlySlowMicroseconds = 1_000;
