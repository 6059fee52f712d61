import { setImmediate as nextTurn } from 'node:timers/promises';
import {
  type Position,
  type Pulled,
  type PullLimit,
  requireSameHistory,
  type Source,
  type SourceBatch,
  type SourceTrouble,
  type StartPoint,
} from '../../src/kit/index.js';

/** Batches from memory, so that millions of them cost nothing to make. */
export class ListSource implements Source {
  pulled = 0;
  isDisposed = false;
  trouble: SourceTrouble | null = null;
  acknowledged: Position | null = null;
  start: StartPoint | undefined;
  readonly #batches: (at: number) => SourceBatch | undefined;
  #at = 0;

  constructor(batches: readonly SourceBatch[] | ((at: number) => SourceBatch | undefined)) {
    this.#batches = typeof batches === 'function' ? batches : (at) => batches[at];
  }

  async open(start: StartPoint): Promise<void> {
    this.start = start;
    this.#at = 0;
    if (start.kind !== 'after') return;
    while ((this.#batches(this.#at)?.sequence ?? Number.POSITIVE_INFINITY) <= start.position.sequence)
      this.#at++;
    const held = this.#batches(this.#at - 1);
    if (held !== undefined) requireSameHistory(start.position, held);
  }

  async pull(limit: PullLimit, signal?: AbortSignal): Promise<Pulled | null> {
    await nextTurn(undefined, signal && { signal });
    const batches: SourceBatch[] = [];
    for (let bytes = 0; batches.length < limit.maxBatches && bytes < limit.maxBytes; ) {
      const batch = this.#batches(this.#at);
      if (batch === undefined) break;
      this.#at++;
      bytes += batch.bytes.length;
      batches.push(batch);
    }
    this.pulled += batches.length;
    return batches.length === 0 ? null : { batches, latestSequence: 1_000 };
  }

  async acknowledge(position: Position): Promise<void> {
    this.acknowledged = position;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.isDisposed = true;
  }
}
