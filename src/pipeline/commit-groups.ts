import { Observable, type OperatorFunction } from 'rxjs';
import type { Chunk, ChunkGroup } from './chunk.js';

/** How much is written to a sink at once, at most; a single larger chunk is still one write. */
export interface BatchLimit {
  readonly maxChanges: number;
  readonly maxBytes: number;
}

/** Bounds of one write; at most half of the credit, so that the next write can gather meanwhile. */
export interface GroupLimit extends BatchLimit {
  readonly maxCreditBytes: number;
}

/** What is done with the chunks of one write. */
export interface GroupHandling {
  /** Decodes and transforms. Called while the write before may be under way, one group ahead of it at most. */
  prepare(chunks: readonly Chunk[]): Promise<ChunkGroup>;
  /** Told of a prepared group that has to wait for the write before it. */
  announce(group: ChunkGroup): void;
  /** Writes; resolves when the sink has it. */
  deliver(group: ChunkGroup): Promise<void>;
}

/**
 * Delivers chunks in order, one write at a time, and emits each when it is delivered. What arrives during a write joins
 * the next one; a full write is prepared and announced while the one before is under way.
 *
 * Chunks wait as bytes and are decoded right before they are written: objects of decoded changes that outlive the
 * young generation are what a pipeline at full speed would spend most of its time on. Measured by bench `redis-sink`.
 */
export const commitGroups =
  (limit: GroupLimit, { prepare, announce, deliver }: GroupHandling): OperatorFunction<Chunk, Chunk> =>
  (chunks) =>
    new Observable((subscriber) => {
      const queue: Chunk[] = [];
      let isWriting = false;
      let isComplete = false;
      let isUnderWay = false;
      let noteFull: () => void = () => undefined;
      /** Resolves when the queue fills a whole write. */
      const full = (): Promise<void> =>
        isFull(queue, limit)
          ? Promise.resolve()
          : new Promise((resolve) => {
              noteFull = resolve;
            });
      const write = async (): Promise<void> => {
        isWriting = true;
        let before: Promise<void> = Promise.resolve();
        for (;;) {
          if (isUnderWay) await Promise.race([before, full()]);
          if (queue.length === 0 || subscriber.closed) break; // empty: then nothing is under way either
          const group = await prepare(takeGroup(queue, limit));
          if (isUnderWay) announce(group);
          await before;
          if (subscriber.closed) break;
          isUnderWay = true;
          before = deliver(group).then(() => {
            isUnderWay = false;
            for (const chunk of group.chunks) subscriber.next(chunk);
          });
        }
        isWriting = false;
        if (isComplete) subscriber.complete();
      };
      return chunks.subscribe({
        next: (chunk) => {
          queue.push(chunk);
          if (!isWriting) write().catch((error: unknown) => subscriber.error(error));
          else if (isUnderWay && isFull(queue, limit)) noteFull();
        },
        error: (error: unknown) => subscriber.error(error),
        complete: () => {
          isComplete = true;
          if (!isWriting) subscriber.complete();
        },
      });
    });

/** True when the queue fills a whole write. */
const isFull = (queue: readonly Chunk[], limit: GroupLimit): boolean => {
  const sum = new GroupSize();
  for (const chunk of queue) {
    sum.add(chunk);
    if (
      sum.records >= limit.maxChanges ||
      sum.bytes >= limit.maxBytes ||
      sum.creditBytes >= limit.maxCreditBytes
    )
      return true;
  }
  return false;
};

const takeGroup = (queue: Chunk[], limit: GroupLimit): Chunk[] => {
  const sum = new GroupSize();
  let taken = 0;
  for (const chunk of queue) {
    sum.add(chunk);
    const isTooMuch =
      sum.records > limit.maxChanges || sum.bytes > limit.maxBytes || sum.creditBytes > limit.maxCreditBytes;
    if (taken > 0 && isTooMuch) break;
    taken++;
  }
  return queue.splice(0, taken);
};

class GroupSize {
  records = 0;
  bytes = 0;
  creditBytes = 0;

  add(chunk: Chunk): void {
    this.records += chunk.records;
    this.bytes += chunk.byteLength;
    this.creditBytes += chunk.creditBytes;
  }
}
