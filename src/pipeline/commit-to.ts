import { Observable, type OperatorFunction } from 'rxjs';
import type { Chunk } from './chunk.js';
import type { SinkLane } from './sink-lane.js';

/** How much is written to a sink at once, at most; a single larger chunk is still one write. */
export interface BatchLimit {
  readonly maxChanges: number;
  readonly maxBytes: number;
}

/**
 * Delivers chunks to a sink in order, one write at a time; what arrives during a write joins the next one. Emits each
 * chunk when it is delivered. The chunks that wait are bounded by the credit that they hold.
 */
export const commitTo =
  (lane: SinkLane, limit: BatchLimit, signal: AbortSignal): OperatorFunction<Chunk, Chunk> =>
  (chunks) =>
    new Observable((subscriber) => {
      const queue: Chunk[] = [];
      let isWriting = false;
      let isComplete = false;
      const write = async (): Promise<void> => {
        isWriting = true;
        while (queue.length > 0 && !subscriber.closed) {
          const group = takeGroup(queue, limit);
          await lane.deliver(group, signal);
          for (const chunk of group) subscriber.next(chunk);
        }
        isWriting = false;
        if (isComplete) subscriber.complete();
      };
      return chunks.subscribe({
        next: (chunk) => {
          queue.push(chunk);
          if (!isWriting) write().catch((error: unknown) => subscriber.error(error));
        },
        error: (error: unknown) => subscriber.error(error),
        complete: () => {
          isComplete = true;
          if (!isWriting) subscriber.complete();
        },
      });
    });

const takeGroup = (queue: Chunk[], limit: BatchLimit): Chunk[] => {
  let changes = 0;
  let bytes = 0;
  let taken = 0;
  for (const chunk of queue) {
    changes += chunk.transactions.reduce((total, transaction) => total + transaction.changes.length, 0);
    bytes += chunk.byteLength;
    if (taken > 0 && (changes > limit.maxChanges || bytes > limit.maxBytes)) break;
    taken++;
  }
  return queue.splice(0, taken);
};
