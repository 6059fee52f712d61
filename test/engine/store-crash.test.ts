import {
  appendFileSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Engine } from '../../src/engine/index.js';
import { type Files, nodeFiles } from '../../src/files/index.js';
import { throwAwayDirectory } from '../services/index.js';
import { runProgram } from '../support/run-program.js';
import { SeededRandom } from '../support/seeded-random.js';
import { waitUntil } from '../support/wait-until.js';
import { expectNumbersUpTo, numberedWrite } from './numbered-writes.js';

let directory: ReturnType<typeof throwAwayDirectory>;
beforeEach(() => {
  directory = throwAwayDirectory('store-crash');
  mkdirSync(directory.path, { recursive: true });
});
afterEach(() => directory.remove());

const small = { memtableBytes: 60_000, pageCacheBytes: 300_000, segmentBytes: 100_000 } as const;
describe('a store under flush', () => {
  it('is the same after a crash at any write of a flush, whatever of the last writes reached the disk', async () => {
    const random = SeededRandom.fromEnvironment('store torn flush');
    const engine = await Engine.open(directory.path, { ...small, sync: 'none', memtableBytes: 1 << 20 });
    for (let n = 1; n <= 2_000; n++) engine.commit(numberedWrite(n));
    await engine.flush();
    await engine.checkpoints.create({ name: 'kept' });
    for (let n = 2_001; n <= 3_000; n++) engine.commit(numberedWrite(n));
    await engine.flush();
    for (let n = 3_001; n <= 4_500; n++) engine.commit(numberedWrite(n));
    await engine.whenDurable(engine.sequence);
    const before = readFileSync(join(directory.path, 'data'));
    await engine.flush();
    const after = readFileSync(join(directory.path, 'data'));
    // The disk as it may be when the power fails before the new superblock is whole: any mix of old and new units.
    const copy = join(directory.path, 'copy');
    mkdirSync(copy);
    for (const name of readdirSync(directory.path))
      if (/IDENTITY|CHECKPOINTS|SEALS|\.log$/.test(name))
        copyFileSync(join(directory.path, name), join(copy, name));
    const names = readdirSync(copy);
    for (let round = 0; round < 12; round++) {
      const disk = Buffer.alloc(Math.max(before.length, after.length));
      before.copy(disk);
      for (let at = 8192; at < after.length; at += 4096)
        if (random.next() < 0.5) after.copy(disk, at, at, at + 4096);
      if (random.next() < 0.3) random.bytes(100).copy(disk, torn(before, after));
      const crashed = join(directory.path, `crash-${round}`);
      mkdirSync(crashed);
      for (const name of names) copyFileSync(join(copy, name), join(crashed, name));
      writeFileSync(join(crashed, 'data'), disk);
      await using again = await Engine.open(crashed, small);
      expectNumbersUpTo(again, 4_500);
      expectNumbersUpTo(again.checkpoints.open('kept'), 2_000);
      await again.check();
    }
    await engine.close();
  });

  it.each(['write', 'datasync', 'truncate', 'open', 'syncDirectory', 'rename'] as const)(
    'fails with a clear error and loses nothing when the disk refuses a %s',
    async (operation) => {
      for (let failAt = 0; failAt < 10; failAt += 3) {
        const path = join(directory.path, `${failAt}`);
        let left = Number.POSITIVE_INFINITY;
        const files: Files = {
          ...nodeFiles,
          [operation]: (...args: never[]) => {
            if (left-- <= 0)
              return Promise.reject(Object.assign(new Error('ENOSPC: no space left'), { code: 'ENOSPC' }));
            return (nodeFiles[operation] as (...rest: never[]) => Promise<unknown>)(...args);
          },
        };
        const engine = await Engine.open(path, { ...small, files });
        for (let n = 1; n <= 500; n++) engine.commit(numberedWrite(n));
        await engine.whenDurable(500);
        left = failAt;
        await engine.flush().catch((error: unknown) => expect(error).toMatchObject({ code: 'STORE_FAILED' }));
        await engine.checkpoints.create({ name: 'maybe' }).catch(() => {});
        if (engine.failure !== undefined)
          expect(() => engine.commit(numberedWrite(501))).toThrow(engine.failure);
        expectNumbersUpTo(engine, 500);
        left = Number.POSITIVE_INFINITY;
        await engine.close();
        await using again = await Engine.open(path, small);
        expectNumbersUpTo(again, 500);
        await again.flush();
        await again.check();
      }
    },
  );

  it('is opened again after a crash however often that fails, at any of its steps, for want of room', async () => {
    const store = join(directory.path, 'store');
    const engine = await Engine.open(store, { ...small, sync: 'none' });
    for (let n = 1; n <= 3_000; n++) engine.commit(numberedWrite(n));
    await engine.checkpoints.create({ name: 'kept' });
    for (let n = 3_001; n <= 3_400; n++) engine.commit(numberedWrite(n));
    await engine.whenDurable(3_400);
    const crashed = join(directory.path, 'crashed');
    cpSync(store, crashed, { recursive: true, filter: (source) => !source.endsWith('LOCK') });
    await engine.close();
    const newest = readdirSync(crashed)
      .filter((name) => name.endsWith('.log'))
      .sort()
      .at(-1);
    appendFileSync(join(crashed, newest ?? ''), 'torn');
    let left = 0;
    const failing =
      <Args extends unknown[]>(operation: (...args: Args) => Promise<void>) =>
      (...args: Args): Promise<void> =>
        left-- > 0 ? operation(...args) : Promise.reject(new Error('ENOSPC: no space left'));
    const files: Files = {
      ...nodeFiles,
      write: failing(nodeFiles.write),
      writeFew: failing(nodeFiles.writeFew),
      datasync: failing(nodeFiles.datasync),
      truncate: failing(nodeFiles.truncate),
      rename: failing(nodeFiles.rename),
      syncDirectory: failing(nodeFiles.syncDirectory),
      close: async (fd) => {
        await nodeFiles.close(fd); // also where that fails
        await failing(async () => {})();
      },
    };
    let failures = 0;
    for (let again: Engine | undefined; again === undefined; failures++) {
      left = failures;
      again = await Engine.open(crashed, { ...small, files }).catch((error: unknown) => {
        expect(error).toMatchObject({ code: 'FILE_INACCESSIBLE' });
        return undefined;
      });
      left = Number.POSITIVE_INFINITY;
      if (again === undefined) continue;
      expectNumbersUpTo(again, 3_400);
      expectNumbersUpTo(again.checkpoints.open('kept'), 3_000);
      await again.close();
    }
    expect(failures).toBeGreaterThan(5);
    // Of a store that was closed it is the list of checkpoints, and all that is open then is closed.
    left = 1;
    await expect(Engine.open(crashed, { ...small, files })).rejects.toMatchObject({
      code: 'FILE_INACCESSIBLE',
      context: { file: join(crashed, 'CHECKPOINTS') },
    });
    expect(openFilesIn(crashed)).toEqual([]);
    await using again = await Engine.open(crashed, small);
    expectNumbersUpTo(again, 3_400);
    await again.check();
  });

  it.each([
    { what: 'its log', blocks: 300, segmentBytes: 1 << 20 },
    { what: 'its log, later', blocks: 700, segmentBytes: 1 << 20 },
    { what: 'its data file', blocks: 1_500, segmentBytes: 100_000 },
    { what: 'its data file, later', blocks: 4_000, segmentBytes: 100_000 },
    { what: 'its data file, from another thread', blocks: 3_000, segmentBytes: 100_000, where: 'thread' },
  ])(
    'fails with a clear error and loses nothing when the system lets $what grow no more',
    async ({ blocks, segmentBytes, where = 'here' }) => {
      const writer = fileURLToPath(new URL('../../dist/test/engine/full-disk-writer.js', import.meta.url));
      // The limit of the size of files, in blocks of 512 bytes, stands for the end of a disk.
      const { stdout, stderr } = await runProgram('sh', [
        '-c',
        'ulimit -f "$0"; exec "$@"',
        `${blocks}`,
        process.execPath,
        writer,
        directory.path,
        `${segmentBytes}`,
        '8000',
        where,
      ]);
      expect(stderr).toBe('');
      const { acknowledged, code } = JSON.parse(stdout) as { acknowledged: number; code: string };
      expect(code).toBe('STORE_FAILED');
      expect(acknowledged).toBeGreaterThan(40);
      expect(acknowledged).toBeLessThan(8_000);
      await using again = await Engine.open(directory.path, small);
      expect(again.sequence).toBeGreaterThanOrEqual(acknowledged);
      for (let n = 1; n <= again.sequence; n++)
        expect(Number.parseInt(again.get(0, Buffer.from(`k${n}`))?.toString() ?? '', 10)).toBe(n);
      for (const { id, sequence } of again.checkpoints.list()) {
        const reader = again.checkpoints.open(id);
        expect([...reader.iterate({ columnFamily: 0 })].length).toBe(sequence);
        reader.close();
      }
      await again.write(numberedWrite(1));
      await again.flush();
      await again.check();
    },
  );

  it('closes each file once when the data file fails while a segment of the log is being finished', async () => {
    const paths = new Map<number, string>();
    const closedTwice: number[] = [];
    let finish: () => void = () => {};
    const finishing = new Promise<void>((resolve) => {
      finish = resolve;
    });
    let isFinishing = false;
    const files: Files = {
      ...nodeFiles,
      open: async (path, flags) => {
        const fd = await nodeFiles.open(path, flags);
        paths.set(fd, path);
        return fd;
      },
      write: async (fd, bytes, position) => {
        if (paths.get(fd)?.endsWith('/data')) {
          await waitUntil('a segment is being finished', () => isFinishing);
          throw new Error('no space');
        }
        await nodeFiles.write(fd, bytes, position);
      },
      close: async (fd) => {
        const path = paths.get(fd);
        if (!paths.delete(fd)) closedTwice.push(fd);
        if (path?.endsWith('.log')) {
          isFinishing = true;
          await finishing;
        }
        await nodeFiles.close(fd);
      },
    };
    const engine = await Engine.open(directory.path, { ...small, segmentBytes: 20_000, sync: 'none', files });
    for (let n = 1; n <= 3_000; n++) engine.commit(numberedWrite(n));
    await waitUntil('the store has failed', () => engine.failure !== undefined);
    const closing = engine.close();
    finish();
    await closing;
    expect(closedTwice).toEqual([]);
  });
});

/** What this process has open of a directory, where the system tells. */
const openFilesIn = (path: string): string[] =>
  existsSync('/proc/self/fd')
    ? readdirSync('/proc/self/fd').flatMap((fd) => {
        try {
          const file = readlinkSync(`/proc/self/fd/${fd}`);
          return file.startsWith(path) ? [file] : [];
        } catch {
          return []; // closed meanwhile
        }
      })
    : [];

/** A place in the superblock that the flush wrote: half of it may be on the disk. */
const torn = (before: Buffer, after: Buffer): number =>
  before.subarray(0, 512).equals(after.subarray(0, 512)) ? 4096 : 0;
