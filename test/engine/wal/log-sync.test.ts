import { beforeEach, describe, expect, it } from 'vitest';
import type { Wal } from '../../../src/engine/wal/index.js';
import { type Files, nodeFiles } from '../../../src/files/index.js';
import { waitUntil } from '../../support/wait-until.js';
import { appendAll, batchFor, useLog } from './use-log.js';

const log = useLog();

/** Syncs that were begun and end when the test says so, each with or without success. */
let syncs: { end(): void; fail(): void }[];
/** False from when a log is closed, which syncs its seals. */
let areHeld: boolean;
beforeEach(() => {
  syncs = [];
  areHeld = true;
});
const files: Files = {
  ...nodeFiles,
  datasync: (fd) =>
    areHeld
      ? new Promise((resolve, reject) => {
          syncs.push({ end: resolve, fail: () => reject(new Error('EIO: i/o error')) });
        })
      : nodeFiles.datasync(fd),
};

const close = (wal: Wal): Promise<void> => {
  areHeld = false;
  return wal.close();
};

/** Appends a batch and waits until a sync of its own was begun for it; tells when that is over. */
const syncOf = async (wal: Wal): Promise<{ isOver: boolean }> => {
  const begun = syncs.length;
  wal.append(batchFor(wal, 100));
  const asked = { isOver: false };
  const over = (): void => {
    asked.isOver = true;
  };
  wal.sync().then(over, over);
  await waitUntil('its sync is begun', () => syncs.length > begun);
  return asked;
};

const heard = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('two syncs of a log side by side', () => {
  it('each make safe what was written before they began, and nothing more', async () => {
    const wal = await log.open({ files, sync: 'none' });
    const first = await syncOf(wal);
    const second = await syncOf(wal);
    syncs[0].end();
    await heard();
    expect([first.isOver, second.isOver, wal.syncedSequence]).toEqual([true, false, 1]);
    syncs[1].end();
    await heard();
    expect([second.isOver, wal.syncedSequence]).toEqual([true, 2]);
    await close(wal);
  });

  it('never take back what the later of them made safe first', async () => {
    const wal = await log.open({ files, sync: 'none' });
    const first = await syncOf(wal);
    const second = await syncOf(wal);
    syncs[1].end();
    await heard();
    expect([first.isOver, second.isOver, wal.syncedSequence]).toEqual([true, true, 2]);
    syncs[0].end();
    await heard();
    expect(wal.syncedSequence).toBe(2);
    await close(wal);
  });
});

it('a log is not synced again after a sync that failed, though there is more to sync and it is due', async () => {
  const wal = await log.open({ files, sync: 'interval', syncIntervalMs: 1 });
  await appendAll(wal, [100]);
  await waitUntil('a sync is begun', () => syncs.length > 0);
  await appendAll(wal, [100]);
  syncs[0].fail();
  await waitUntil('the log has failed', () => wal.failure !== undefined);
  await new Promise((resolve) => setTimeout(resolve, 30)); // thirty times as long as until the next one is due
  expect(syncs).toHaveLength(1);
  await close(wal);
});
