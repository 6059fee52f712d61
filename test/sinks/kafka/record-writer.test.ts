import { describe, expect, it } from 'vitest';
import { Outbox, Topic } from '../../../sinks/kafka/outbox.js';
import { RecordWriter } from '../../../sinks/kafka/record-writer.js';
import type { Change, SinkBatch } from '../../../src/kit/index.js';

describe('the records of a large transaction', () => {
  it('are all made, in order, in turns between which others have theirs', async () => {
    const count = 200_500;
    const changes = Array.from(
      { length: count },
      (_, index): Change => ({
        seq: 1 + index,
        index,
        ns: 'default',
        op: 'put',
        type: 'string',
        key: Buffer.from(`key:${index}`),
        value: Buffer.from(String(index)),
        ttlAt: undefined,
      }),
    );
    const transaction = { first: 1, last: count, count, bytes: Buffer.alloc(0), changes, undecodable: [] };
    const batch: SinkBatch = {
      transactions: [transaction],
      position: { sequence: count, count, crc: 0 },
      previous: null,
      byteLength: 0,
    };
    const outbox = new Outbox(false);
    const topic = new Topic('t', [1, 2], 1_000_000, outbox);
    const writer = new RecordWriter(
      { topic: 't', key: '{key}', keyPattern: '', value: 'event', deletes: 'event', headers: {}, source: '' },
      'orders',
    );
    const made: number[] = [];
    let isDone = false;
    const preparing = writer
      .prepare(batch, { get: () => topic }, ({ change }) => made.push(change))
      .finally(() => {
        isDone = true;
      });
    let turns = 0;
    for (; !isDone; turns++) await new Promise((resolve) => setImmediate(resolve));
    expect(await preparing).toEqual({ missing: [], exceeded: [], rejections: [] });
    expect(turns).toBeGreaterThan(2);
    expect(made.length).toBe(count);
    expect(made.findIndex((change, at) => change !== at)).toBe(-1);
    const records = topic.partitions.flatMap(({ batches }) => batches.map((one) => one.count));
    expect(records.reduce((total, one) => total + one, 0)).toBe(count);
  });
});
