import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Engine } from '../../src/engine/index.js';
import { WritePace } from '../../src/engine/write-pace.js';
import { type Files, nodeFiles } from '../../src/files/index.js';
import { WriteBatchBuilder } from '../../src/write-batch/index.js';
import { throwAwayDirectory } from '../services/index.js';

let directory: ReturnType<typeof throwAwayDirectory>;
beforeEach(() => {
  directory = throwAwayDirectory('write-pace');
});
afterEach(() => directory.remove());

describe('writers that are faster than merges', () => {
  it('fill half of the room at once, and the rest as the merge goes on', () => {
    let progress = 0;
    const pace = new WritePace(200, 200, 400, () => progress);
    expect(pace.isExceededBy(200 + 100)).toBe(false);
    expect(pace.isExceededBy(200 + 101)).toBe(true);
    progress = 0.5;
    expect(pace.isExceededBy(200 + 150)).toBe(false);
    expect(pace.isExceededBy(200 + 151)).toBe(true);
    progress = 1;
    expect(pace.isExceededBy(200 + 200)).toBe(false);
    expect(pace.isExceededBy(200 + 201)).toBe(true);
  });

  it('do not fill more than the next merge can do beside as much, nor more than there is', () => {
    expect(new WritePace(100, 100, 400, () => 1).isExceededBy(100 + 201)).toBe(true);
    expect(new WritePace(300, 300, 400, () => 1).isExceededBy(300 + 101)).toBe(true);
  });

  it('have nearly all room while a small merge is under way', () => {
    expect(new WritePace(10, 10, 400, () => 0).isExceededBy(10 + 190)).toBe(false);
    expect(new WritePace(10, 10, 400, () => 1).isExceededBy(10 + 380)).toBe(false);
    expect(new WritePace(10, 10, 400, () => 1).isExceededBy(10 + 381)).toBe(true);
  });

  it('get half of what is left at once, where much waits already', () => {
    let progress = 0;
    const pace = new WritePace(10, 10 + 300, 400, () => progress);
    expect(pace.isExceededBy(10 + 340)).toBe(false);
    expect(pace.isExceededBy(10 + 341)).toBe(true);
    progress = 1;
    expect(pace.isExceededBy(10 + 380)).toBe(false);
    const large = new WritePace(100, 100 + 280, 400, () => 1);
    expect(large.isExceededBy(100 + 290)).toBe(false);
    expect(large.isExceededBy(100 + 291)).toBe(true);
    expect(new WritePace(200, 200 + 220, 400, () => 0).isExceededBy(200 + 220)).toBe(false);
  });

  it('have what they wrote frozen shortly before the merge ends, when it is much', () => {
    let progress = 0.5;
    const pace = new WritePace(200, 200, 400, () => progress);
    expect(pace.isEndingFor(350)).toBe(false);
    progress = 0.95;
    expect(pace.isEndingFor(350)).toBe(true);
    expect(pace.isEndingFor(250)).toBe(false);
  });

  it('go on a bit at a time while the disk stands still, not when memory is full, and as before after', async () => {
    let letSync = (): void => undefined;
    const gate = new Promise<void>((resolve) => {
      letSync = resolve;
    });
    let isSyncing = false;
    const dataFiles = new Set<number>();
    // Not the real thing: a disk that takes as long over a sync of the data file as the test says.
    const files: Files = {
      ...nodeFiles,
      open: async (path, flags) => {
        const fd = await nodeFiles.open(path, flags);
        if (path.endsWith('data')) dataFiles.add(fd);
        return fd;
      },
      datasync: async (fd) => {
        if (dataFiles.has(fd)) {
          isSyncing = true;
          await gate;
        }
        await nodeFiles.datasync(fd);
      },
    };
    const memtableBytes = 1 << 20;
    await using engine = await Engine.open(directory.path, { files, sync: 'none', memtableBytes });
    using _gate = { [Symbol.dispose]: () => letSync() }; // whatever fails, the engine can be closed
    let written = 0;
    const valueBytes = (): number => written * 1_024;
    const write = (): Promise<unknown> =>
      engine.write(
        new WriteBatchBuilder().put(0, Buffer.from(`key:${written++}`), Buffer.alloc(1_024)).finish(),
      );
    while (!isSyncing) await write();
    // Beside the memtable that is merged there is room for two and an eighth; keys take some, too.
    while (valueBytes() < 3.05 * memtableBytes) await write(); // were it held, this would not end
    let last = write();
    while (valueBytes() < 4.5 * memtableBytes) last = write();
    const isLastHeld = (await Promise.race([last, sleep(500, 'held')])) === 'held';
    letSync();
    await last;
    expect(isLastHeld).toBe(true);
    await write();
  });
});
