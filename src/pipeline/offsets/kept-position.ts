import {
  CalmWarning,
  isTailraceError,
  type Logger,
  messageOf,
  orGivenUp,
  type Position,
  type Timing,
} from '../../kit/index.js';
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
  readonly #warning: CalmWarning;
  #unsaved: Position | null = null;
  #savedAtMs = 0;

  constructor(options: KeptPositionOptions) {
    this.#options = options;
    this.#warning = new CalmWarning(options.log, options.timing.now);
  }

  async load(signal: AbortSignal): Promise<Position | null> {
    const { offsets, pipeline, name } = this.#options;
    return offsets === undefined ? null : await orGivenUp(offsets.load(pipeline, name), signal);
  }

  /** The sink has everything up to here. */
  move(position: Position): void {
    this.#unsaved = position;
  }

  /** @throws TailraceError `OFFSETS_FAILED` | `FILE_INACCESSIBLE`, only when it is the final one; `OFFSETS_CORRUPT` */
  async save(isFinal: boolean, signal: AbortSignal): Promise<void> {
    const { offsets, timing, pipeline, name } = this.#options;
    if (this.#unsaved === null || offsets === undefined) return;
    if (!isFinal && timing.now() - this.#savedAtMs < saveIntervalMs) return;
    this.#savedAtMs = timing.now();
    try {
      await orGivenUp(offsets.save(pipeline, name, this.#unsaved), signal);
      this.#unsaved = null;
    } catch (error) {
      // The next save makes up for it, and a crash before that delivers again.
      if (isFinal || !mayPass(error)) throw error;
      const reason = messageOf(error);
      this.#warning.warn('the position could not be stored, trying again', { sink: name, reason });
    }
  }
}

/** A store that cannot be reached may come back, and a full disk have room again. */
const mayPass = (error: unknown): boolean =>
  isTailraceError(error, 'OFFSETS_FAILED') || isTailraceError(error, 'FILE_INACCESSIBLE');

const saveIntervalMs = 200;
