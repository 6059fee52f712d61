import { spawn } from 'node:child_process';
import {
  appendFileSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { crc32 } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  applyCheckpointExport,
  type DataReader,
  Engine,
  type EngineOptions,
} from '../../src/engine/index.js';
import { type Files, nodeFiles } from '../../src/files/index.js';
import { WriteBatchBuilder } from '../../src/write-batch/index.js';
import { throwAwayDirectory } from '../services/index.js';
import { runProgram } from '../support/run-program.js';
import { SeededRandom } from '../support/seeded-random.js';
import { waitUntil } from '../support/wait-until.js';

let directory: ReturnType<typeof throwAwayDirectory>;
beforeEach(() => {
  directory = throwAwayDirectory('store-crash');
  mkdirSync(directory.path, { recursive: true });
});
afterEach(() => directory.remove());

const small = { memtableBytes: 60_000, pageCacheBytes: 300_000, segmentBytes: 100_000 } as const;
const writes = (n: number): Buffer =>
  new WriteBatchBuilder().put(0, Buffer.from(`k${n % 1000}`), Buffer.from(`${n}`)).finish();

/** Write n sets key n mod 1000 to something that begins with n: the newest thousand numbers are all there is. */
const expectNumbersUpTo = (reader: DataReader, last: number): void => {
  for (let n = Math.max(1, last - 999); n <= last; n++)
    expect(Number.parseInt(reader.get(0, Buffer.from(`k${n % 1000}`))?.toString() ?? '', 10)).toBe(n);
  let count = 0;
  for (const { value } of reader.iterate({ columnFamily: 0 })) {
    expect(Number.parseInt(value.toString(), 10)).toBeGreaterThan(last - 1000);
    count++;
  }
  expect(count).toBe(Math.min(1000, last));
};

describe('a store under flush', () => {
  it('loses nothing that was acknowledged, and no checkpoint, when its process is killed at any moment', async () => {
    const random = SeededRandom.fromEnvironment('store kills');
    const writer = fileURLToPath(new URL('../../dist/test/engine/kill-store-writer.js', import.meta.url));
    const acknowledged = { sequence: 0, checkpoints: new Set<number>() };
    for (let round = 0; round < Number(process.env['KILLS'] ?? 6); round++) {
      const where = round % 2 === 0 ? 'thread' : 'here';
      const sync = round % 3 === 0 ? 'none' : 'always';
      const child = spawn(process.execPath, [writer, directory.path, where, sync], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      let output = '';
      child.stdout.on('data', (chunk: Buffer) => {
        output += chunk.toString();
      });
      const exited = new Promise((resolve) => child.once('close', resolve));
      const lines = 5 + random.below(45);
      await waitUntil('the writer writes', () => output.split('\n').length > lines);
      await new Promise((resolve) => setTimeout(resolve, random.below(20))); // at any moment, not right after a write
      child.kill('SIGKILL');
      await exited;
      for (const [, sign, number] of output.matchAll(/^([+-]?)(\d+);$/gm)) {
        if (sign === '+') acknowledged.checkpoints.add(Number(number));
        else if (sign === '-') acknowledged.checkpoints.delete(Number(number));
        else acknowledged.sequence = Number(number);
      }
      await using engine = await Engine.open(directory.path, small);
      expect(engine.sequence).toBeGreaterThanOrEqual(acknowledged.sequence);
      expectNumbersUpTo(engine, engine.sequence);
      const found = engine.checkpoints.list();
      for (const { sequence, id } of found) {
        const reader = engine.checkpoints.open(id);
        expectNumbersUpTo(reader, sequence);
        reader.close();
      }
      for (const sequence of acknowledged.checkpoints)
        expect(found.map((checkpoint) => checkpoint.sequence)).toContain(sequence);
      await engine.check();
    }
    expect(acknowledged.sequence).toBeGreaterThan(500);
  });

  it('is the same after a crash at any write of a flush, whatever of the last writes reached the disk', async () => {
    const random = SeededRandom.fromEnvironment('store torn flush');
    const engine = await Engine.open(directory.path, { ...small, sync: 'none', memtableBytes: 1 << 20 });
    for (let n = 1; n <= 2_000; n++) engine.commit(writes(n));
    await engine.flush();
    await engine.checkpoints.create({ name: 'kept' });
    for (let n = 2_001; n <= 3_000; n++) engine.commit(writes(n));
    await engine.flush();
    for (let n = 3_001; n <= 4_500; n++) engine.commit(writes(n));
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
        for (let n = 1; n <= 500; n++) engine.commit(writes(n));
        await engine.whenDurable(500);
        left = failAt;
        await engine.flush().catch((error: unknown) => expect(error).toMatchObject({ code: 'STORE_FAILED' }));
        await engine.checkpoints.create({ name: 'maybe' }).catch(() => {});
        if (engine.failure !== undefined) expect(() => engine.commit(writes(501))).toThrow(engine.failure);
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

  it('is copied whole or not at all when a restore or the applying of an export is killed, and again after that', async () => {
    const random = SeededRandom.fromEnvironment('killed copies');
    const copier = fileURLToPath(new URL('../../dist/test/engine/kill-copy.js', import.meta.url));
    const store = join(directory.path, 'store');
    const engine = await Engine.open(store, { ...small, sync: 'none' });
    const large = (n: number): Buffer =>
      new WriteBatchBuilder()
        .put(0, Buffer.from(`k${n % 1_000}`), Buffer.from(`${n}`.padEnd(8_000)))
        .finish();
    for (let n = 1; n <= 900; n++) engine.commit(large(n));
    await engine.checkpoints.create({ name: 'kept' });
    const whole = join(directory.path, 'whole');
    await engine.checkpoints.export('kept', whole);
    for (let n = 901; n <= 1_000; n++) engine.commit(large(n));
    await engine.checkpoints.create({ name: 'next' });
    const increment = join(directory.path, 'increment');
    await engine.checkpoints.export('next', increment, { base: 'kept' });
    await engine.close();

    const killed = async (what: string, from: string, to: string): Promise<void> => {
      const child = spawn(process.execPath, [copier, what, from, to], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      const exited = new Promise((resolve) => child.once('close', resolve));
      await new Promise((resolve) => child.stdout.once('data', resolve));
      await new Promise((resolve) => setTimeout(resolve, random.below(60)));
      child.kill('SIGKILL');
      await exited;
    };
    /** The sequence number that a copy is at, 0 when it is none. */
    const copiedTo = async (path: string): Promise<number> => {
      if (!existsSync(join(path, 'IDENTITY'))) {
        await expect(Engine.open(path, small)).rejects.toMatchObject({ code: 'STORE_CORRUPT' });
        return 0;
      }
      await using copy = await Engine.open(path, { isReadOnly: true });
      expectNumbersUpTo(copy, copy.sequence);
      await copy.check();
      return copy.sequence;
    };
    for (let round = 0; round < Number(process.env['KILLS'] ?? 2); round++) {
      const restored = join(directory.path, `restored-${round}`);
      mkdirSync(restored);
      await killed('restore', store, restored);
      if (readdirSync(restored).length > 0) expect([0, 900]).toContain(await copiedTo(restored));
      const applied = join(directory.path, `applied-${round}`);
      mkdirSync(applied);
      for (const [file, sequence, before] of [
        [whole, 900, 0],
        [increment, 1_000, 900],
      ] as const) {
        await killed('apply', file, applied);
        const reached = readdirSync(applied).some((name) => name !== 'LOCK') ? await copiedTo(applied) : 0;
        expect([before, sequence]).toContain(reached);
        if (reached === before) await applyCheckpointExport(applied, file);
        expect(await copiedTo(applied)).toBe(sequence);
      }
    }
    await using again = await Engine.open(store, small);
    expectNumbersUpTo(again, 1_000);
    await again.check();
  });

  it('is opened again after a crash however often that fails, at any of its steps, for want of room', async () => {
    const store = join(directory.path, 'store');
    const engine = await Engine.open(store, { ...small, sync: 'none' });
    for (let n = 1; n <= 3_000; n++) engine.commit(writes(n));
    await engine.checkpoints.create({ name: 'kept' });
    for (let n = 3_001; n <= 3_400; n++) engine.commit(writes(n));
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
      await again.write(writes(1));
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
    for (let n = 1; n <= 3_000; n++) engine.commit(writes(n));
    await waitUntil('the store has failed', () => engine.failure !== undefined);
    const closing = engine.close();
    finish();
    await closing;
    expect(closedTwice).toEqual([]);
  });

  it('refuses a data file that is cut, foreign, of a newer format or damaged, and says what and where', async () => {
    const fill = await Engine.open(directory.path, { ...small, sync: 'none' });
    for (let n = 1; n <= 3_000; n++) fill.commit(writes(n));
    await fill.flush();
    await fill.close();
    const data = join(directory.path, 'data');
    const whole = readFileSync(data);
    const expectRefused = async (
      reason: RegExp,
      options: EngineOptions = {},
      code = 'STORE_CORRUPT',
    ): Promise<void> => {
      await expect(Engine.open(directory.path, { ...small, ...options })).rejects.toMatchObject({
        code,
        message: expect.stringMatching(reason),
      });
    };
    const patched = (at: number, bytes: Buffer): void => {
      writeFileSync(data, whole);
      const fd = openSync(data, 'r+');
      writeSync(fd, bytes, 0, bytes.length, at);
    };
    truncateSync(data, whole.length - 4096);
    await expectRefused(/was cut or copied in part/);
    await expectRefused(/was cut or copied in part/, { isReadOnly: true });
    writeFileSync(data, Buffer.alloc(8192));
    await expectRefused(/neither superblock is whole/);
    writeFileSync(data, 'not a data file');
    await expectRefused(/neither superblock is whole/);
    for (const at of [0, 4096]) {
      const newer = Buffer.from(whole.subarray(at, at + 512));
      newer.writeUInt32LE(2, 8);
      newer.writeUInt32LE(crc32(newer.subarray(0, 508)), 508);
      patched(at, newer);
      await expectRefused(/has format 2, this version reads 1/, {}, 'STORE_FORMAT_UNKNOWN');
    }

    const other = await Engine.open(join(directory.path, 'other'), { ...small, sync: 'none' });
    for (let n = 1; n <= 3_000; n++) other.commit(writes(n));
    await other.flush();
    await other.close();
    copyFileSync(join(directory.path, 'other', 'data'), data);
    await expectRefused(/belongs to store/);

    // Each damaged page is noticed when it is read, by its place.
    let noticed = 0;
    for (let at = 8192; at < whole.length; at += 4096) {
      if (whole[at + 12] !== 0xb7) continue;
      patched(at + 200, Buffer.from('damage'));
      const reading = Engine.open(directory.path, { ...small, isReadOnly: true }).then(async (engine) => {
        try {
          await engine.check();
        } finally {
          await engine.close();
        }
      });
      await reading.catch((error: unknown) => {
        expect(error).toMatchObject({ code: 'STORE_CORRUPT', context: { offset: at } });
        noticed++;
      });
    }
    expect(noticed).toBeGreaterThan(2);
    writeFileSync(data, whole);
    await using engine = await Engine.open(directory.path, small);
    expectNumbersUpTo(engine, 3_000);
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
