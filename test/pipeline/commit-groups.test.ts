import { Subject } from 'rxjs';
import { describe, expect, it } from 'vitest';
import type { Chunk, ChunkGroup } from '../../src/pipeline/chunk.js';
import { commitGroups } from '../../src/pipeline/commit-groups.js';
import { waitUntil } from '../support/wait-until.js';

const chunkOf = (sequence: number, byteLength = 1, creditBytes = 1): Chunk => ({
  batches: [{ sequence, count: 1, bytes: Buffer.alloc(1) }],
  records: 1,
  position: { sequence, count: 1, crc: 0 },
  byteLength,
  creditBytes,
  pulledAtMs: 0,
});

const sequencesOf = ({ chunks }: ChunkGroup): number[] => chunks.map(({ batches }) => batches[0].sequence);

/** Groups of three chunks at most; each write waits until it is let go. */
const grouping = () => {
  const chunks = new Subject<Chunk>();
  const log: string[] = [];
  const letGo: (() => void)[] = [];
  let isComplete = false;
  const delivered: number[] = [];
  chunks
    .pipe(
      commitGroups(
        { maxChanges: 3, maxBytes: 100, maxCreditBytes: 100 },
        {
          prepare: async (taken) => ({ chunks: taken, transactions: [], position: null, byteLength: 0 }),
          announce: (group) => void log.push(`announce ${sequencesOf(group)}`),
          deliver: (group) => {
            log.push(`write ${sequencesOf(group)}`);
            return new Promise((resolve) => letGo.push(resolve));
          },
        },
      ),
    )
    .subscribe({
      next: ({ batches }) => void delivered.push(batches[0].sequence),
      complete: () => {
        isComplete = true;
      },
    });
  return {
    log,
    delivered,
    isComplete: () => isComplete,
    push: (...sequences: readonly number[]): void => {
      for (const sequence of sequences) chunks.next(chunkOf(sequence));
    },
    pushSized: (
      ...sized: readonly (readonly [sequence: number, byteLength: number, creditBytes: number])[]
    ): void => {
      for (const size of sized) chunks.next(chunkOf(...size));
    },
    complete: (): void => chunks.complete(),
    finishWrite: async (): Promise<void> => {
      await waitUntil('a write is under way', () => letGo.length > 0);
      letGo.shift()?.();
    },
    logged: (entry: string): Promise<void> => waitUntil(entry, () => log.includes(entry)),
  };
};

describe('commit groups', () => {
  it('lets what arrives during a write join the next one', async () => {
    const groups = grouping();
    groups.push(1);
    await groups.logged('write 1');
    groups.push(2);
    groups.push(3);
    await groups.finishWrite();
    await groups.logged('write 2,3');
    groups.complete();
    await groups.finishWrite();
    await waitUntil('all is delivered', groups.isComplete);
    expect(groups.log).toEqual(['write 1', 'write 2,3']);
    expect(groups.delivered).toEqual([1, 2, 3]);
  });

  it('writes no more bytes at once than it may, nor takes more of the credit, but for a single chunk that has more', async () => {
    const groups = grouping();
    groups.push(1);
    await groups.logged('write 1');
    groups.pushSized([2, 60, 1], [3, 40, 1], [4, 1, 60], [5, 1, 41], [6, 500, 1], [7, 1, 500], [8, 1, 1]);
    groups.complete();
    for (const entry of ['2,3', '4', '5', '6', '7', '8']) {
      await groups.finishWrite();
      await groups.logged(`write ${entry}`);
    }
    await groups.finishWrite();
    await waitUntil('all is delivered', groups.isComplete);
  });

  it('announces a full write while the one before is under way, also when it becomes full only then', async () => {
    const groups = grouping();
    groups.push(1, 2);
    await groups.logged('write 1');
    groups.push(3, 4, 5, 6);
    await groups.logged('announce 2,3,4');
    expect(groups.log).toEqual(['write 1', 'announce 2,3,4']);
    await groups.finishWrite();
    await groups.logged('write 2,3,4');
    groups.push(7, 8);
    await groups.logged('announce 5,6,7');
    await groups.finishWrite();
    await groups.logged('write 5,6,7');
    groups.complete();
    await groups.finishWrite();
    await groups.finishWrite();
    await waitUntil('all is delivered', groups.isComplete);
    expect(groups.delivered).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
  });

  it('begins anew with what comes at the very moment when it has delivered everything', async () => {
    const groups = grouping();
    for (let sequence = 1; sequence <= 20; sequence++) {
      groups.push(sequence);
      await groups.finishWrite();
      for (let turns = 0; turns < sequence; turns++) await Promise.resolve();
    }
    groups.complete();
    await waitUntil('all is delivered', groups.isComplete);
    expect(groups.delivered).toEqual(Array.from({ length: 20 }, (_, at) => at + 1));
  });
});
