import { describe, expect, it } from 'vitest';
import type { SinkBatch, Transaction } from '../../src/kit/index.js';
import type { DeadLetter, DeadLetterTarget } from '../../src/pipeline/dead-letters/dead-letters.js';
import { withoutRefused } from '../../src/pipeline/refused-changes.js';
import { pluginContext } from '../support/plugin-context.js';

const transactionAt = (first: number, size: number): Transaction => ({
  first,
  last: first + size - 1,
  count: size,
  bytes: Buffer.from(`batch ${first}`),
  undecodable: [],
  changes: Array.from({ length: size }, (_, index) => ({
    ...{ seq: first + index, index, ns: 'default', op: 'delete', type: 'key' },
    key: Buffer.from(`key ${first + index}`),
  })),
});

const keepingTarget = (letters: DeadLetter[]): DeadLetterTarget => ({
  add: async (added) => {
    letters.push(...added);
  },
  list: async () => [],
  settle: async () => undefined,
  [Symbol.asyncDispose]: async () => undefined,
});

describe('changes that a sink refuses for good', () => {
  const batch: SinkBatch = {
    transactions: [transactionAt(1, 1), transactionAt(2, 3), transactionAt(5, 1)],
    position: { sequence: 5, count: 1, crc: 1 },
    previous: null,
    byteLength: 100,
  };
  const letters: DeadLetter[] = [];
  const options = {
    ...{ pipeline: 'orders', sink: 'copy', poison: 'dead-letter' as const, log: pluginContext('orders').log },
    deadLetters: keepingTarget(letters),
  };

  it('are left out of their transaction', async () => {
    letters.length = 0;
    const rejections = [{ transaction: 1, change: 1, reason: 'too large' }];
    const left = await withoutRefused(batch, rejections, { ...options, takesWholeBatches: false });
    expect(left.transactions.map(({ changes }) => changes.map(({ seq }) => seq))).toEqual([[1], [2, 4], [5]]);
    expect(letters).toMatchObject([{ sequence: 3, change: { seq: 3 }, reason: 'too large' }]);
  });

  it('go no further when their letters are not kept', async () => {
    const deadLetters = {
      ...keepingTarget([]),
      add: async () => {
        throw new Error('the disk is full');
      },
    };
    const rejections = [{ transaction: 1, change: 1, reason: 'too large' }];
    await expect(
      withoutRefused(batch, rejections, { ...options, deadLetters, takesWholeBatches: false }),
    ).rejects.toThrow('the disk is full');
  });

  it('take their transaction along where a sink takes whole batches', async () => {
    letters.length = 0;
    const rejections = [{ transaction: 1, change: 0, reason: 'too large' }];
    const left = await withoutRefused(batch, rejections, { ...options, takesWholeBatches: true });
    expect(left.transactions.map(({ first }) => first)).toEqual([1, 5]);
    expect(left.position).toEqual(batch.position);
    expect(letters).toMatchObject([{ sequence: 2, transaction: { first: 2, last: 4 }, reason: 'too large' }]);
    expect(letters[0]).not.toHaveProperty('change');
    const failing = withoutRefused(batch, rejections, {
      ...options,
      poison: 'fail',
      takesWholeBatches: true,
    });
    await expect(failing).rejects.toMatchObject({
      code: 'SINK_POISON',
      message: 'sink copy refuses the batch 2 to 4: too large',
    });
  });
});
