import { spawnSync } from 'node:child_process';
import { appendFileSync, copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { LogDirectoryReader, summariseLog } from '../../../src/engine/index.js';
import { LiveWalIterator, Wal } from '../../../src/engine/wal/index.js';
import { type Files, nodeFiles } from '../../../src/files/index.js';
import { ensurePrograms, throwAwayDirectory } from '../../services/index.js';
import { SeededRandom } from '../../support/seeded-random.js';
import { waitUntil } from '../../support/wait-until.js';
import { appendAll, batchFor, useLog, walDefaults } from './use-log.js';

const log = useLog();

describe('write-ahead log', () => {
  it('gives back every batch, whatever its size and place in a block', async () => {
    const random = SeededRandom.fromEnvironment('wal sizes');
    const aroundBlocks = [0, 1, 32_700, 32_740, 32_745, 32_750, 32_761, 32_768, 65_530, 100_000, 1_000_000];
    const sizes = Array.from({ length: 300 }, () =>
      random.next() < 0.2 ? random.pick(aroundBlocks) + random.below(10) : random.below(400),
    );
    const wal = await log.open();
    const written = await appendAll(wal, sizes);
    await wal.close();
    expect(log.files().length).toBeGreaterThan(1);
    const { batches, wal: reopened } = await log.recovered();
    expect(batches.length).toBe(written.length);
    expect(batches.every((batch, i) => batch.equals(written[i]))).toBe(true);
    await reopened.close();
  });

  it('is read by RocksDB’s own ldb, record for record', async () => {
    ensurePrograms(['ldb']);
    const wal = await log.open();
    await appendAll(wal, [10, 40_000, 0, 100_000, 5]);
    await wal.close();
    const dump = spawnSync('ldb', ['dump_wal', `--walfile=${log.newest()}`, '--header', '--print_value'], {
      encoding: 'utf8',
    });
    const rows = dump.stdout.split('\n').filter((line) => /^\d+,/.test(line));
    expect(rows.map((row) => row.split(',', 2).map(Number))).toEqual(
      [1, 2, 3, 4, 5].map((sequence) => [sequence, 1]),
    );
    expect(dump.stdout).not.toMatch(/corrupt/i);
  });

  it('syncs at each interval although there is always more to write', async () => {
    let syncs = 0;
    // Not the real thing: how long a disk takes to sync what others write to it is nobody's promise.
    const files: Files = {
      ...nodeFiles,
      datasync: async () => {
        syncs++;
      },
    };
    const wal = await log.open({ files, sync: 'interval', syncIntervalMs: 20, segmentBytes: 1e9 });
    // Were it to sync only when nothing is left to write, this would not end.
    while (syncs < 5) {
      wal.append(batchFor(wal, 100));
      await new Promise((resolve) => setImmediate(resolve));
    }
    await wal.close();
  });

  it('syncs on demand while it is written to and rotates, and rejects who waits for a sync that fails', async () => {
    let isBroken = false;
    // Writes follow each other, and syncs by one descriptor do; each takes a while, as a slow disk would make it.
    const running = new Set<string>();
    const alone = async (what: string, operation: () => Promise<void>): Promise<void> => {
      expect([...running]).not.toContain(what);
      running.add(what);
      await new Promise((resolve) => setImmediate(resolve));
      await operation().finally(() => running.delete(what));
    };
    const files: Files = {
      ...nodeFiles,
      write: (fd, bytes, position) => alone('write', () => nodeFiles.write(fd, bytes, position)),
      writeFew: (fd, bytes, position) => alone('write', () => nodeFiles.writeFew(fd, bytes, position)),
      datasync: (fd) =>
        alone(`sync ${fd}`, () => (isBroken ? Promise.reject(new Error('EIO')) : nodeFiles.datasync(fd))),
    };
    const wal = await log.open({ files, sync: 'none', segmentBytes: 2_000 });
    const waits: Promise<void>[] = [];
    for (let i = 0; i < 200; i++) {
      wal.append(batchFor(wal, 300));
      waits.push(wal.sync());
      if (i % 3 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    await Promise.all(waits);
    await wal.sync();
    isBroken = true;
    wal.append(batchFor(wal, 1));
    await expect(wal.sync()).rejects.toMatchObject({ code: 'STORE_FAILED' });
    await expect(wal.sync()).rejects.toMatchObject({ code: 'STORE_FAILED' });
    await wal.close();
  });

  it.each(['none', 'interval'] as const)(
    'goes on writing while a sync takes long, in mode %s, and closes when it is done',
    async (sync) => {
      let finishSync = (): void => undefined;
      const slow = new Promise<void>((resolve) => {
        finishSync = resolve;
      });
      let syncs = 0;
      const files: Files = {
        ...nodeFiles,
        datasync: async (fd) => {
          syncs++;
          await slow;
          await nodeFiles.datasync(fd);
        },
      };
      const wal = await log.open({ files, sync, syncIntervalMs: 1e6 });
      await appendAll(wal, [100]);
      let isSynced = false;
      const synced = wal.sync().then(() => {
        isSynced = true;
      });
      for (let i = 0; i < 20; i++) await appendAll(wal, [1_000]);
      const closed = wal.close();
      expect([syncs, isSynced]).toEqual([1, false]);
      finishSync();
      await synced;
      await closed;
      const { batches, wal: reopened } = await log.recovered();
      await reopened.close();
      expect(batches.length).toBe(21);
    },
  );

  it('syncs without being asked when much has gathered, so that who asks does not wait for all of it', async () => {
    let syncs = 0;
    const files: Files = {
      ...nodeFiles,
      datasync: (fd) => {
        syncs++;
        return nodeFiles.datasync(fd);
      },
    };
    const wal = await log.open({ files, sync: 'none', segmentBytes: 1e9 });
    await appendAll(wal, [1_000]);
    expect(syncs).toBe(0);
    while (syncs < 3) await appendAll(wal, [1_000_000]);
    await wal.close();
  });

  it('goes on in the next segment while one is being sealed, but calls nothing of it synced before', async () => {
    let isSealing = false;
    let seal = (): void => undefined;
    const sealing = new Promise<void>((resolve) => {
      seal = resolve;
    });
    const files: Files = {
      ...nodeFiles,
      rename: async (from, to) => {
        isSealing = true;
        await sealing;
        await nodeFiles.rename(from, to);
      },
    };
    const wal = await log.open({ files, sync: 'none', segmentBytes: 2_000 });
    for (let i = 0; i < 3; i++) await appendAll(wal, [900]);
    for (let i = 0; i < 2; i++) await appendAll(wal, [400]);
    await waitUntil('the first segment is being sealed', () => isSealing);
    let isSynced = false;
    const synced = wal.sync().then(() => {
      isSynced = true;
    });
    // What a kill leaves.
    const copy = join(log.path, 'copy');
    mkdirSync(copy);
    for (const name of ['000001.log', '000002.log']) copyFileSync(join(log.path, name), join(copy, name));
    expect(isSynced).toBe(false);
    seal();
    await synced;
    await wal.close();
    let batches = 0;
    const killed = await Wal.open(copy, walDefaults, () => batches++);
    expect(batches).toBe(5);
    await killed.close();
    expect((await log.recovered()).batches.length).toBe(5);
  });

  it('shares one sync among the writes that wait for it', async () => {
    let syncs = 0;
    const files: Files = {
      ...nodeFiles,
      datasync: (fd) => {
        syncs++;
        return nodeFiles.datasync(fd);
      },
    };
    const wal = await log.open({ files });
    const waits = Array.from({ length: 200 }, () => {
      wal.append(batchFor(wal, 50));
      return wal.whenDurable(wal.nextSequence - 1);
    });
    await Promise.all(waits);
    expect(syncs).toBeLessThan(10);
    await wal.close();
  });

  // A fault that the real file system does not give on demand, so the files are a fake that fails at the n-th call.
  it.each(['datasync', 'write', 'writeFew', 'open', 'syncDirectory'] as const)(
    'ends its life at the first failed %s, and never tries again',
    async (operation) => {
      for (let failAt = 1; failAt <= 3; failAt++) {
        log.empty();
        let calls = 0;
        const fail = (): Promise<never> => Promise.reject(new Error('EIO: i/o error'));
        const count = (): boolean => ++calls >= failAt;
        const files: Files = {
          ...nodeFiles,
          [operation]: (...args: never[]) =>
            count() ? fail() : (nodeFiles[operation] as (...args: never[]) => Promise<unknown>)(...args),
        };
        const sync = operation === 'writeFew' ? 'none' : 'always';
        const wal = await log.open({ files, sync, segmentBytes: 500 });
        let acknowledged = 0;
        let failure: unknown;
        for (let i = 0; i < 10 && failure === undefined; i++) {
          try {
            wal.append(batchFor(wal, 200));
            await wal.whenDurable(wal.nextSequence - 1);
            acknowledged++;
          } catch (error) {
            failure = error;
          }
        }
        expect(failure).toMatchObject({ code: 'STORE_FAILED' });
        expect(() => wal.append(batchFor(wal, 1))).toThrow(/failed/);
        const callsAtFailure = calls;
        await wal.close();
        expect(wal.durableSequence).toBe(acknowledged);
        if (operation !== 'open') expect(calls).toBe(callsAtFailure);
        const { batches, wal: reopened } = await log.recovered();
        expect(batches.length).toBeGreaterThanOrEqual(acknowledged);
        await reopened.close();
      }
    },
  );

  it('removes whole segments from its beginning, and tells purged from not yet written', async () => {
    const wal = await log.open({ segmentBytes: 2_000 });
    for (let i = 0; i < 20; i++) await appendAll(wal, [900]);
    const removed = await wal.removeSegmentsBefore(10);
    expect(removed.length).toBeGreaterThan(0);
    expect(wal.firstSequence).toBeGreaterThan(1);
    expect(wal.firstSequence).toBeLessThanOrEqual(10);
    expect(() => new LiveWalIterator(wal, 0)).toThrow(expect.objectContaining({ code: 'WAL_PURGED' }));
    expect(() => new LiveWalIterator(wal, 21)).toThrow(
      expect.objectContaining({ code: 'WAL_SEQUENCE_AHEAD' }),
    );
    const first = wal.firstSequence;
    const fromFirst = new LiveWalIterator(wal, first - 1);
    expect(fromFirst.item.sequence).toBe(first);
    fromFirst.close();
    expect(() => new LiveWalIterator(wal, first - 2)).toThrow(
      expect.objectContaining({ code: 'WAL_PURGED', context: { wanted: first - 1, first } }),
    );
    await wal.close();
    const { batches, wal: reopened } = await log.recovered();
    expect(batches[0]?.readUInt32LE(0)).toBe(first);
    await reopened.close();
  });

  it('removes segments while it seals others', async () => {
    const wal = await log.open({ segmentBytes: 2_000 });
    let isWriting = true;
    const writing = (async () => {
      for (let i = 0; i < 200; i++) await appendAll(wal, [900]);
      isWriting = false;
    })();
    const removed: string[] = [];
    while (isWriting && wal.failure === undefined) {
      removed.push(...(await wal.removeSegmentsBefore(wal.durableSequence)));
      await new Promise((resolve) => setImmediate(resolve));
    }
    await writing;
    expect(removed.length).toBeGreaterThan(10);
    const first = wal.firstSequence;
    const fromFirst = new LiveWalIterator(wal, first - 1);
    expect(fromFirst.item.sequence).toBe(first);
    fromFirst.close();
    expect(() => new LiveWalIterator(wal, first - 2)).toThrow(
      expect.objectContaining({ code: 'WAL_PURGED', context: { wanted: first - 1, first } }),
    );
    await wal.close();
    const { batches, wal: reopened } = await log.recovered();
    expect(batches).toHaveLength(201 - first);
    await reopened.close();
  });
});

describe('a directory of another writer', () => {
  /** Two files of which the first has a torn end, and the second goes on at the sequence number `next`. */
  const twoFiles = async (next: number, torn: Buffer): Promise<void> => {
    const wal = await log.open();
    await appendAll(wal, [100, 100]);
    await wal.close();
    rmSync(join(log.path, 'SEALS'));
    appendFileSync(log.newest(), torn);
    const elsewhere = throwAwayDirectory('elsewhere');
    const other = await Wal.open(elsewhere.path, walDefaults, () => undefined);
    for (let i = 1; i < next + 2; i++) other.append(batchFor(other, 0));
    await other.close();
    const bytes = readFileSync(join(elsewhere.path, '000001.log'));
    const records = Math.round(bytes.length / (next + 1));
    writeFileSync(join(log.path, '000007.log'), bytes.subarray(bytes.length - 2 * records));
    elsewhere.remove();
  };

  it.each([
    ['a short record', Buffer.from([1, 2, 3, 4, 50, 0, 1, 9])],
    ['garbage', Buffer.alloc(60, 0x41)],
    ['zeros', Buffer.alloc(60)],
  ])('is read on where a crash tore the end of an older file: %s', async (_what, torn) => {
    await twoFiles(3, torn);
    const reader = new LogDirectoryReader(log.path, 0);
    const sequences: number[] = [];
    for (let batch = reader.next(); batch !== undefined; batch = reader.next())
      sequences.push(batch.sequence);
    reader.close();
    expect(sequences).toEqual([1, 2, 3, 4]);
    expect([...summariseLog(log.path)].map(({ tornBytes }) => tornBytes)).toEqual([torn.length, 0]);
  });

  it('is refused to a reader who wants to go on from before the first batch there is', async () => {
    await twoFiles(3, Buffer.alloc(0));
    rmSync(join(log.path, '000001.log'));
    const purged = new LogDirectoryReader(log.path, 2);
    expect(() => purged.next()).toThrow(expect.objectContaining({ code: 'WAL_PURGED' }));
    purged.close();
    for (const from of [0, 3]) {
      const reader = new LogDirectoryReader(log.path, from);
      expect(reader.next()?.sequence).toBe(3);
      reader.close();
    }
  });

  it('is refused where the torn end lost a batch', async () => {
    await twoFiles(4, Buffer.from([1, 2, 3, 4, 50, 0, 1, 9]));
    const reader = new LogDirectoryReader(log.path, 0);
    reader.next();
    reader.next();
    expect(() => reader.next()).toThrow(expect.objectContaining({ code: 'WAL_CORRUPT' }));
    reader.close();
    expect(() => [...summariseLog(log.path)]).toThrow(expect.objectContaining({ code: 'WAL_CORRUPT' }));
  });

  it.each(['the only file', 'the oldest of two files', 'the newest of two files'])(
    'is refused where the beginning of %s is damaged, which is not the same as a file without a batch',
    async (which) => {
      await twoFiles(3, Buffer.alloc(0));
      if (which === 'the only file') rmSync(join(log.path, '000007.log'));
      const path = join(log.path, which.startsWith('the newest') ? '000007.log' : '000001.log');
      const bytes = readFileSync(path);
      bytes[20] ^= 0xff;
      writeFileSync(path, bytes);
      const readAll = (): void => {
        const reader = new LogDirectoryReader(log.path, 0);
        try {
          while (reader.next() !== undefined);
        } finally {
          reader.close();
        }
      };
      const refused = expect.objectContaining({
        code: 'WAL_CORRUPT',
        message: expect.stringContaining(`${path} at offset 0`),
      });
      expect(readAll).toThrow(refused);
      expect(() => [...summariseLog(log.path)]).toThrow(refused);
    },
  );
});
