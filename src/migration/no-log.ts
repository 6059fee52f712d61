import type { Position } from '../kit/index.js';
import type { LogSource } from './log-follower.js';

/** The log of a source that has none: it stands at one place, and nothing ever comes. */
export class NoLog implements LogSource {
  async newestPosition(): Promise<Position> {
    return onlyPosition;
  }

  async open(): Promise<void> {
    // There is nothing to read.
  }

  async pull(): Promise<{ batches: []; latestSequence: number }> {
    return { batches: [], latestSequence: onlyPosition.sequence };
  }

  async acknowledge(): Promise<void> {
    // There is nothing to forget.
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Nothing was opened.
  }
}

const onlyPosition: Position = { sequence: 1, count: 1, crc: 0 };
