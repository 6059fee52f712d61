import { isTailraceError } from '../errors/index.js';

/** The part of a migration that is read while the one before it is written, and the run within which that is done. */
export class ReadAhead<Part> {
  #reading: Promise<Part> | undefined;

  /**
   * Runs `work` to its end, or until `signal` aborts. That is no error: what `work` then throws is swallowed, unless it says that
   * the target has failed. Resolves when nothing is being read any more.
   */
  async run(signal: AbortSignal, work: (signal: AbortSignal) => Promise<void>): Promise<void> {
    const over = new AbortController();
    try {
      await work(AbortSignal.any([signal, over.signal]));
    } catch (error) {
      if (!signal.aborted || isTailraceError(error, 'SINK_FAILED')) throw error;
    } finally {
      // A part that is being read ahead must not hold, nor open again, a connection that nobody waits for.
      over.abort();
      await this.#reading?.catch(() => undefined);
    }
  }

  /** Leaves a part that is being read to whoever takes it next. */
  give(reading: Promise<Part>): void {
    reading.catch(() => undefined); // seen when it is awaited
    this.#reading = reading;
  }

  /** The part that is being read; undefined when there is none. */
  take(): Promise<Part> | undefined {
    const reading = this.#reading;
    this.#reading = undefined;
    return reading;
  }
}
