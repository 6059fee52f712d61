import { randomUUID } from 'node:crypto';
import { TailraceError } from '../errors/index.js';

/**
 * Whether a sink may claim again. A sink that lost its connection claims anew to learn the truth; if somebody else has
 * claimed meanwhile, that would take the target away from its rightful owner. So claims carry a token, by which also a
 * claim of one's own is recognised whose reply was lost.
 */
export class Ownership {
  readonly token = randomUUID();
  #lastEpoch = 0;

  /** Epoch of the last claim; 0 before the first one. */
  get lastEpoch(): number {
    return this.#lastEpoch;
  }

  claimed(epoch: number): void {
    this.#lastEpoch = epoch;
  }

  /** @throws TailraceError `SINK_FENCED` when another process has claimed since this one did */
  requireNotOvertaken(held: { readonly epoch: number; readonly owner: string }, place: string): void {
    const isOvertaken = this.#lastEpoch > 0 && held.epoch > this.#lastEpoch && held.owner !== this.token;
    if (isOvertaken) throw overtaken(place);
  }
}

/** The error of a sink whose target somebody else has claimed. */
export const overtaken = (place: string): TailraceError =>
  new TailraceError('SINK_FENCED', `another process has claimed ${place} since this one did`, {
    context: { sink: place },
    remedy: 'Run one process for each pipeline name; this one has stopped and changed nothing more.',
  });
