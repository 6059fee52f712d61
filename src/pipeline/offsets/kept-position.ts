import { isTailraceError, type Logger, orGivenUp, type Position, type Timing } from '../../kit/index.js';
import type { OffsetsStore } from './offsets-store.js';

export interface KeptPositionOptions {
  readonly pipeline: string;
  /** Name of the sink within the pipeline. */
  readonly name: string;
  /** None: nothing is kept, and each run begins anew. */
  readonly offsets?: OffsetsStore;
  readonly timing: Timing;
  readonly log: Logger;
}

/**
 * The position of a sink that cannot hold it, kept in the offsets store: now and then while it moves, and always in the
 * end. It is behind what the sink has acknowledged by what has not been stored yet, which a crash delivers again.
 */
export class KeptPosition {
  readonly #options: KeptPositionOptions;
  #unsaved: Position | null = null;
  #savedAtMs = 0;

  constructor(options: KeptPositionOptions) {
    this.#options = options;
  }

  async load(signal: AbortSignal): Promise<Position | null> {
    const { offsets, pipeline, name } = this.#options;
    return offsets === undefined ? null : await orGivenUp(offsets.load(pipeline, name), signal);
  }

  /** The sink has everything up to here. */
  move(position: Position): void {
    this.#unsaved = position;
  }

  /** @throws TailraceError `OFFSETS_FAILED`, only when it is the final one */
  async save(isFinal: boolean, signal: AbortSignal): Promise<void> {
    const { offsets, timing, pipeline, name, log } = this.#options;
    if (this.#unsaved === null || offsets === undefined) return;
    if (!isFinal && timing.now() - this.#savedAtMs < saveIntervalMs) return;
    this.#savedAtMs = timing.now();
    try {
      await orGivenUp(offsets.save(pipeline, name, this.#unsaved), signal);
      this.#unsaved = null;
    } catch (error) {
      // The next save makes up for it, and a crash before that delivers again.
      if (isFinal || !isTailraceError(error, 'OFFSETS_FAILED')) throw error;
      log.warn('the position could not be stored, trying again', { sink: name, reason: error.message });
    }
  }
}

const saveIntervalMs = 200;
