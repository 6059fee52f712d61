import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  LiveWalIterator,
  LogDirectoryReader,
  type Wal,
  WalRecordIterator,
} from '../../../src/engine/wal/index.js';
import { RecordKind, WriteBatchBuilder } from '../../../src/write-batch/index.js';
import { SeededRandom } from '../../support/seeded-random.js';
import { appendAll, batchFor, useLog } from './use-log.js';

const log = useLog();

describe('log iterator', () => {
  it('starts after any sequence number, across segments', async () => {
    const wal = await log.open({ segmentBytes: 300_000 });
    for (let i = 0; i < 40; i++)
      await appendAll(
        wal,
        Array.from({ length: 25 }, () => 1_000),
      );
    for (const since of [0, 1, 17, 299, 300, 500, 998, 999]) {
      const iterator = new LiveWalIterator(wal, since);
      expect([iterator.valid, iterator.item.sequence]).toEqual([true, since + 1]);
      let seen = 0;
      for (const batch of iterator) seen += batch.count;
      expect(seen).toBe(1_000 - since);
    }
    const atTip = new LiveWalIterator(wal, 1_000);
    expect(atTip.valid).toBe(false);
    atTip.close();
    await wal.close();
  });

  it('goes to any sequence number from wherever it stands', async () => {
    const wal = await log.open({ segmentBytes: 300_000 });
    await appendAll(
      wal,
      Array.from({ length: 1_000 }, () => 1_000),
    );
    const random = SeededRandom.fromEnvironment('seeks in the log');
    const iterator = new LiveWalIterator(wal, 0);
    for (let i = 0; i < 60; i++) {
      let sequence = random.pick([1, 1_001, 1 + random.below(1_000)]);
      iterator.seek(sequence);
      for (let steps = random.below(60); steps > 0 && iterator.valid; steps--) {
        expect(iterator.item.sequence).toBe(sequence++);
        iterator.next();
      }
      expect(iterator.valid).toBe(sequence <= 1_000);
    }
    iterator.close();
    await wal.close();
  });

  it('gives the whole batch when it starts inside one, and batches without counted records', async () => {
    const wal = await log.open();
    wal.append(batchFor(wal, 10, 5));
    wal.append(Buffer.from(new WriteBatchBuilder().logData(Buffer.from('note')).finish(6)));
    wal.append(batchFor(wal, 10, 2));
    await wal.whenDurable(7);
    const inside = new LiveWalIterator(wal, 3);
    expect([inside.item.sequence, inside.item.count]).toEqual([1, 5]);
    const behind = new LiveWalIterator(wal, 5);
    expect([behind.item.sequence, behind.item.count]).toEqual([6, 0]);
    behind.next();
    expect([behind.item.sequence, behind.item.count]).toEqual([6, 2]);
    const records = new WalRecordIterator(new LiveWalIterator(wal, 5));
    expect([...records].map((record) => [record.kind, record.sequence])).toEqual([
      [RecordKind.LogData, 6],
      [RecordKind.Put, 6],
      [RecordKind.Put, 7],
    ]);
    inside.close();
    behind.close();
    await wal.close();
  });

  it('follows live writes through rotation, seeing only what is durable', async () => {
    const wal = await log.open({ segmentBytes: 3_000 });
    const iterator = new LiveWalIterator(wal, 0);
    const total = 400;
    const writing = (async () => {
      for (let i = 0; i < total; i++) {
        wal.append(batchFor(wal, 100));
        if (i % 7 === 0) await wal.whenDurable(wal.nextSequence - 1);
      }
      await wal.whenDurable(total);
    })();
    let expected = 1;
    while (expected <= total) {
      expect(await iterator.waitForMore()).toBe(true);
      iterator.next();
      for (; iterator.valid; iterator.next()) {
        expect(iterator.item.sequence).toBe(expected++);
        expect(iterator.item.sequence).toBeLessThanOrEqual(wal.durableSequence);
      }
    }
    await writing;
    const waiting = iterator.waitForMore(AbortSignal.timeout(30));
    expect(await waiting).toBe(false);
    const closing = iterator.waitForMore();
    await wal.close();
    expect(await closing).toBe(false);
    expect(wal.segments.length).toBeGreaterThan(10);
    iterator.close();
  });

  it('passes over a segment that a crash left without a record', async () => {
    const wal = await log.open();
    await appendAll(wal, [10, 20]);
    await wal.close();
    writeFileSync(join(log.path, '000002.log'), '');
    const { wal: reopened } = await log.recovered();
    await appendAll(reopened, [30]);
    expect(log.files()).toEqual(['000001.log', '000002.log', '000003.log']);
    const iterator = new LiveWalIterator(reopened, 0);
    expect(Array.from(iterator, ({ sequence }) => sequence)).toEqual([1, 2, 3]);
    await reopened.close();
  });

  it('never takes zeros for the end of what is durable', async () => {
    const wal = await log.open();
    await appendAll(wal, [100, 100, 100]);
    const bytes = readFileSync(log.newest());
    writeFileSync(log.newest(), bytes.fill(0, bytes.length / 3, (bytes.length / 3) * 2));
    expectDamage(wal);
    await wal.close();
  });

  it('names the place of damage instead of ending early', async () => {
    const wal = await log.open();
    await appendAll(wal, [100, 100, 100, 100]);
    const bytes = readFileSync(log.newest());
    bytes[200] = bytes[200] ^ 1;
    writeFileSync(log.newest(), bytes);
    expectDamage(wal);
    await wal.close();
  });

  it('tells of a batch that is missing among whole ones', async () => {
    const wal = await log.open();
    await appendAll(wal, [100, 100, 100, 100]);
    const bytes = readFileSync(log.newest());
    const recordBytes = bytes.length / 4;
    bytes.copy(bytes, recordBytes, 2 * recordBytes, 3 * recordBytes);
    writeFileSync(log.newest(), bytes);
    const iterator = new LiveWalIterator(wal, 0);
    expect(iterator.item.sequence).toBe(1);
    expect(() => iterator.next()).toThrow(expect.objectContaining({ code: 'WAL_GAP' }));
    iterator.close();
    const reader = new LogDirectoryReader(log.path, 0);
    expect(reader.next()?.sequence).toBe(1);
    expect(() => reader.next()).toThrow(expect.objectContaining({ code: 'WAL_GAP' }));
    reader.close();
    await wal.close();
  });

  it('tells that what follows was removed while it read the segment before', async () => {
    const wal = await log.open({ segmentBytes: 1_000 });
    await appendAll(
      wal,
      Array.from({ length: 40 }, () => 300),
    );
    const iterator = new LiveWalIterator(wal, 0);
    await wal.removeSegmentsBefore(30);
    const first = wal.firstSequence;
    expect(first).toBeGreaterThan(20);
    expect(() => {
      for (; iterator.valid; iterator.next()) expect(iterator.item.sequence).toBeLessThan(first - 1);
    }).toThrow(expect.objectContaining({ code: 'WAL_PURGED' }));
    iterator.close();
    await wal.close();
  });
});

/** A reader from the beginning on does not come to the end. */
const expectDamage = (wal: Wal): void => {
  const iterator = new LiveWalIterator(wal, 0);
  expect(() => {
    for (; iterator.valid; iterator.next());
  }).toThrow(expect.objectContaining({ code: 'WAL_CORRUPT' }));
  iterator.close();
};
