import { spawnSync } from 'node:child_process';
import {
  appendFileSync,
  copyFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { LogDirectoryReader, summariseLog } from '../../../src/engine/index.js';
import { LiveWalIterator, Wal, type WalOptions, WalRecordIterator } from '../../../src/engine/wal/index.js';
import { isTailraceError } from '../../../src/errors/index.js';
import { type Files, nodeFiles } from '../../../src/files/index.js';
import { RecordKind, WriteBatchBuilder } from '../../../src/write-batch/index.js';
import { ensurePrograms, throwAwayDirectory } from '../../services/index.js';
import { SeededRandom } from '../../support/seeded-random.js';
import { waitUntil } from '../../support/wait-until.js';

const defaults: WalOptions = {
  sync: 'always',
  syncIntervalMs: 100,
  segmentBytes: 1024 * 1024,
  isReadOnly: false,
};

let directory: ReturnType<typeof throwAwayDirectory>;
beforeEach(() => {
  directory = throwAwayDirectory('wal');
});
afterEach(() => directory.remove());

const openWal = (
  options: Partial<WalOptions> = {},
  visit: (bytes: Buffer) => void = () => undefined,
): Promise<Wal> => Wal.open(directory.path, { ...defaults, ...options }, visit);

/** A batch of one put whose value has the given length, with the log's next sequence number. */
const batchFor = (wal: Wal, valueBytes: number, puts = 1): Buffer => {
  const batch = new WriteBatchBuilder();
  for (let i = 0; i < puts; i++)
    batch.put(
      0,
      Buffer.from(`key-${wal.nextSequence + i}`),
      Buffer.alloc(valueBytes, (wal.nextSequence + i) & 0xff),
    );
  return Buffer.from(batch.finish(wal.nextSequence));
};

const appendAll = async (wal: Wal, sizes: readonly number[]): Promise<Buffer[]> => {
  const batches = sizes.map((size) => {
    const batch = batchFor(wal, size);
    wal.append(batch);
    return batch;
  });
  await wal.whenDurable(wal.nextSequence - 1);
  return batches;
};

const recovered = async (options: Partial<WalOptions> = {}): Promise<{ batches: Buffer[]; wal: Wal }> => {
  const batches: Buffer[] = [];
  const wal = await openWal(options, (bytes) => batches.push(Buffer.from(bytes)));
  return { batches, wal };
};

const logFiles = (): string[] =>
  readdirSync(directory.path)
    .filter((name) => name.endsWith('.log'))
    .sort();
const newestLog = (): string => join(directory.path, logFiles().at(-1) ?? '');

describe('write-ahead log', () => {
  it('gives back every batch, whatever its size and place in a block', async () => {
    const random = SeededRandom.fromEnvironment('wal sizes');
    const aroundBlocks = [0, 1, 32_700, 32_740, 32_745, 32_750, 32_761, 32_768, 65_530, 100_000, 1_000_000];
    const sizes = Array.from({ length: 300 }, () =>
      random.next() < 0.2 ? random.pick(aroundBlocks) + random.below(10) : random.below(400),
    );
    const wal = await openWal();
    const written = await appendAll(wal, sizes);
    await wal.close();
    expect(logFiles().length).toBeGreaterThan(1);
    const { batches, wal: reopened } = await recovered();
    expect(batches.length).toBe(written.length);
    expect(batches.every((batch, i) => batch.equals(written[i] as Buffer))).toBe(true);
    await reopened.close();
  });

  it('is read by RocksDB’s own ldb, record for record', async () => {
    ensurePrograms(['ldb']);
    const wal = await openWal();
    await appendAll(wal, [10, 40_000, 0, 100_000, 5]);
    await wal.close();
    const dump = spawnSync('ldb', ['dump_wal', `--walfile=${newestLog()}`, '--header', '--print_value'], {
      encoding: 'utf8',
    });
    const rows = dump.stdout.split('\n').filter((line) => /^\d+,/.test(line));
    expect(rows.map((row) => row.split(',', 2).map(Number))).toEqual(
      [1, 2, 3, 4, 5].map((sequence) => [sequence, 1]),
    );
    expect(dump.stdout).not.toMatch(/corrupt/i);
  });

  it('cuts a torn tail at every place where a write may have stopped', async () => {
    const wal = await openWal();
    const written = await appendAll(wal, [50, 60, 40_000, 70, 300]);
    await wal.close();
    const whole = readFileSync(newestLog());
    const name = newestLog();
    const random = SeededRandom.fromEnvironment('torn tails');
    for (let round = 0; round < 120; round++) {
      const cutAt = random.below(whole.length);
      const junk = random.pick([
        Buffer.alloc(0),
        Buffer.alloc(random.below(200)),
        Buffer.alloc(random.below(200), 0xff),
        random.bytes(random.below(100)),
      ]);
      rmSync(directory.path, { recursive: true });
      mkdirSync(directory.path);
      writeFileSync(name, Buffer.concat([whole.subarray(0, cutAt), junk]));
      const { batches, wal: reopened } = await recovered();
      expect(batches.every((batch, i) => batch.equals(written[i] as Buffer))).toBe(true);
      const sequence = reopened.nextSequence;
      expect(sequence).toBe(batches.length + 1);
      const [more] = await appendAll(reopened, [10]);
      await reopened.close();
      const again = await recovered();
      expect(again.batches.at(-1)).toEqual(more);
      await again.wal.close();
    }
  });

  it('refuses damage that has intact records behind it, with file and offset', async () => {
    const wal = await openWal();
    await appendAll(
      wal,
      Array.from({ length: 40 }, () => 200),
    );
    await wal.close();
    rmSync(join(directory.path, 'SEALS')); // as after a crash: the newest segment is not sealed
    const path = newestLog();
    const bytes = readFileSync(path);
    bytes[500] = (bytes[500] as number) ^ 0x10;
    writeFileSync(path, bytes);
    await expect(recovered()).rejects.toMatchObject({ code: 'WAL_CORRUPT', context: { file: path } });
  });

  it('detects every flipped bit of a log that was closed', async () => {
    const wal = await openWal();
    await appendAll(wal, [100, 100, 100]);
    await wal.close();
    const path = newestLog();
    const good = readFileSync(path);
    for (let bit = 0; bit < good.length * 8; bit++) {
      const bad = Buffer.from(good);
      bad[bit >>> 3] = (bad[bit >>> 3] as number) ^ (1 << (bit & 7));
      writeFileSync(path, bad);
      const error: unknown = await recovered().catch((caught: unknown) => caught);
      expect(isTailraceError(error)).toBe(true);
    }
  });

  it('detects a sealed segment that was cut, swapped or removed', async () => {
    const wal = await openWal({ segmentBytes: 2_000 });
    for (let i = 0; i < 5; i++) await appendAll(wal, [1500, 1000]);
    await wal.close();
    const [first, second, third] = logFiles().map((name) => join(directory.path, name)) as [
      string,
      string,
      string,
    ];
    const keep = readFileSync(second);
    truncateSync(second, keep.length - 20);
    await expect(recovered()).rejects.toMatchObject({ code: 'WAL_CORRUPT' });
    copyFileSync(third, second);
    await expect(recovered()).rejects.toThrow();
    rmSync(second);
    await expect(recovered()).rejects.toThrow();
    writeFileSync(second, keep);
    const { wal: reopened } = await recovered();
    await reopened.close();
    expect(readFileSync(first).length).toBeGreaterThan(0);
  });

  it('opens again when the last record ends where no header fits into its block', async () => {
    for (let missing = 0; missing <= 8; missing++) {
      rmSync(directory.path, { recursive: true });
      mkdirSync(directory.path);
      const wal = await openWal();
      const overhead = batchFor(wal, 32_700).length - 32_700 + 7;
      const [written] = await appendAll(wal, [32_768 - overhead - missing]);
      await wal.close();
      expect(readFileSync(newestLog()).length).toBe(32_768 - missing);
      const { batches, wal: reopened } = await recovered();
      expect([batches.length, batches[0]?.equals(written as Buffer)]).toEqual([1, true]);
      expect(reopened.recovery.cut).toBeUndefined();
      await reopened.close();
    }
  });

  it('syncs at each interval although there is always more to write', async () => {
    let syncs = 0;
    const files: Files = {
      ...nodeFiles,
      datasync: (fd) => {
        syncs++;
        return nodeFiles.datasync(fd);
      },
    };
    const wal = await openWal({ files, sync: 'interval', syncIntervalMs: 20, segmentBytes: 1e9 });
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
    const wal = await openWal({ files, sync: 'none', segmentBytes: 2_000 });
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
      const wal = await openWal({ files, sync, syncIntervalMs: 1e6 });
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
      const { batches, wal: reopened } = await recovered();
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
    const wal = await openWal({ files, sync: 'none', segmentBytes: 1e9 });
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
    const wal = await openWal({ files, sync: 'none', segmentBytes: 2_000 });
    for (let i = 0; i < 3; i++) await appendAll(wal, [900]);
    for (let i = 0; i < 2; i++) await appendAll(wal, [400]);
    await waitUntil('the first segment is being sealed', () => isSealing);
    let isSynced = false;
    const synced = wal.sync().then(() => {
      isSynced = true;
    });
    // What a kill leaves.
    const copy = join(directory.path, 'copy');
    mkdirSync(copy);
    for (const name of ['000001.log', '000002.log'])
      copyFileSync(join(directory.path, name), join(copy, name));
    expect(isSynced).toBe(false);
    seal();
    await synced;
    await wal.close();
    let batches = 0;
    const killed = await Wal.open(copy, defaults, () => batches++);
    expect(batches).toBe(5);
    await killed.close();
    expect((await recovered()).batches.length).toBe(5);
  });

  it('seals the segment that was full when the process ended right after beginning the next one', async () => {
    const wal = await openWal();
    const [written] = await appendAll(wal, [100]);
    const path = newestLog();
    await wal.close();
    rmSync(join(directory.path, 'SEALS'));
    const next = join(directory.path, '000002.log');
    writeFileSync(next, '');
    const { batches, wal: reopened } = await recovered();
    await reopened.close();
    expect(batches).toEqual([written]);
    truncateSync(path, readFileSync(path).length - 1);
    await expect(openWal()).rejects.toMatchObject({ code: 'WAL_CORRUPT', context: { file: path } });
    rmSync(next);
    await expect(openWal()).rejects.toMatchObject({ code: 'WAL_CORRUPT' });
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
    const wal = await openWal({ files });
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
        rmSync(directory.path, { recursive: true });
        mkdirSync(directory.path);
        let calls = 0;
        const fail = (): Promise<never> => Promise.reject(new Error('EIO: i/o error'));
        const count = (): boolean => ++calls >= failAt;
        const files: Files = {
          ...nodeFiles,
          [operation]: (...args: never[]) =>
            count() ? fail() : (nodeFiles[operation] as (...args: never[]) => Promise<unknown>)(...args),
        };
        const sync = operation === 'writeFew' ? 'none' : 'always';
        const wal = await openWal({ files, sync, segmentBytes: 500 });
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
        if (operation !== 'open') expect(calls).toBe(callsAtFailure);
        const { batches, wal: reopened } = await recovered();
        expect(batches.length).toBeGreaterThanOrEqual(acknowledged);
        await reopened.close();
      }
    },
  );

  it('removes whole segments from its beginning, and tells purged from not yet written', async () => {
    const wal = await openWal({ segmentBytes: 2_000 });
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
    await wal.close();
    const { batches, wal: reopened } = await recovered();
    expect(batches[0]?.readUInt32LE(0)).toBe(first);
    await reopened.close();
  });

  it('removes segments while it seals others', async () => {
    const wal = await openWal({ segmentBytes: 2_000 });
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
    await wal.close();
    const { batches, wal: reopened } = await recovered();
    expect(batches).toHaveLength(201 - first);
    await reopened.close();
  });
});

describe('log iterator', () => {
  it('starts after any sequence number, across segments', async () => {
    const wal = await openWal({ segmentBytes: 300_000 });
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

  it('gives the whole batch when it starts inside one, and batches without counted records', async () => {
    const wal = await openWal();
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
    const wal = await openWal({ segmentBytes: 3_000 });
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
    const wal = await openWal();
    await appendAll(wal, [10, 20]);
    await wal.close();
    writeFileSync(join(directory.path, '000002.log'), '');
    const { wal: reopened } = await recovered();
    await appendAll(reopened, [30]);
    expect(logFiles()).toEqual(['000001.log', '000002.log', '000003.log']);
    const iterator = new LiveWalIterator(reopened, 0);
    expect(Array.from(iterator, ({ sequence }) => sequence)).toEqual([1, 2, 3]);
    await reopened.close();
  });

  it('never takes zeros for the end of what is durable', async () => {
    const wal = await openWal();
    await appendAll(wal, [100, 100, 100]);
    const bytes = readFileSync(newestLog());
    writeFileSync(newestLog(), bytes.fill(0, bytes.length / 3, (bytes.length / 3) * 2));
    const iterator = new LiveWalIterator(wal, 0);
    expect(() => {
      for (; iterator.valid; iterator.next());
    }).toThrow(expect.objectContaining({ code: 'WAL_CORRUPT' }));
    iterator.close();
    await wal.close();
  });

  it('names the place of damage instead of ending early', async () => {
    const wal = await openWal();
    await appendAll(wal, [100, 100, 100, 100]);
    const bytes = readFileSync(newestLog());
    bytes[200] = (bytes[200] as number) ^ 1;
    writeFileSync(newestLog(), bytes);
    const iterator = new LiveWalIterator(wal, 0);
    expect(() => {
      for (; iterator.valid; iterator.next());
    }).toThrow(expect.objectContaining({ code: 'WAL_CORRUPT' }));
    iterator.close();
    await wal.close();
    appendFileSync(newestLog(), '');
  });
});

describe('a directory of another writer', () => {
  /** Two files of which the first has a torn end, and the second goes on at the sequence number `next`. */
  const twoFiles = async (next: number, torn: Buffer): Promise<void> => {
    const wal = await openWal();
    await appendAll(wal, [100, 100]);
    await wal.close();
    rmSync(join(directory.path, 'SEALS'));
    appendFileSync(newestLog(), torn);
    const elsewhere = throwAwayDirectory('elsewhere');
    const other = await Wal.open(elsewhere.path, defaults, () => undefined);
    for (let i = 1; i < next + 2; i++) other.append(batchFor(other, 0));
    await other.close();
    const bytes = readFileSync(join(elsewhere.path, '000001.log'));
    const records = Math.round(bytes.length / (next + 1));
    writeFileSync(join(directory.path, '000007.log'), bytes.subarray(bytes.length - 2 * records));
    elsewhere.remove();
  };

  it.each([
    ['a short record', Buffer.from([1, 2, 3, 4, 50, 0, 1, 9])],
    ['garbage', Buffer.alloc(60, 0x41)],
    ['zeros', Buffer.alloc(60)],
  ])('is read on where a crash tore the end of an older file: %s', async (_what, torn) => {
    await twoFiles(3, torn);
    const reader = new LogDirectoryReader(directory.path, 0);
    const sequences: number[] = [];
    for (let batch = reader.next(); batch !== undefined; batch = reader.next())
      sequences.push(batch.sequence);
    reader.close();
    expect(sequences).toEqual([1, 2, 3, 4]);
    expect([...summariseLog(directory.path)].map(({ tornBytes }) => tornBytes)).toEqual([torn.length, 0]);
  });

  it('is refused where the torn end lost a batch', async () => {
    await twoFiles(4, Buffer.from([1, 2, 3, 4, 50, 0, 1, 9]));
    const reader = new LogDirectoryReader(directory.path, 0);
    reader.next();
    reader.next();
    expect(() => reader.next()).toThrow(expect.objectContaining({ code: 'WAL_CORRUPT' }));
    reader.close();
    expect(() => [...summariseLog(directory.path)]).toThrow(expect.objectContaining({ code: 'WAL_CORRUPT' }));
  });

  it.each(['the only file', 'the oldest of two files', 'the newest of two files'])(
    'is refused where the beginning of %s is damaged, which is not the same as a file without a batch',
    async (which) => {
      await twoFiles(3, Buffer.alloc(0));
      if (which === 'the only file') rmSync(join(directory.path, '000007.log'));
      const path = join(directory.path, which.startsWith('the newest') ? '000007.log' : '000001.log');
      const bytes = readFileSync(path);
      bytes[20] ^= 0xff;
      writeFileSync(path, bytes);
      const readAll = (): void => {
        const reader = new LogDirectoryReader(directory.path, 0);
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
      expect(() => [...summariseLog(directory.path)]).toThrow(refused);
    },
  );
});
