import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Engine } from '../../../src/engine/index.js';
import { type Files, nodeFiles } from '../../../src/files/index.js';
import { WriteBatchBuilder } from '../../../src/write-batch/index.js';
import { FlushGate } from '../../support/flush-gate.js';
import { waitUntil } from '../../support/wait-until.js';
import { contentOf, fill, type Model, small, sorted, useStoreDirectory } from './checkpoint-setup.js';

const directory = useStoreDirectory();
const { open, store } = directory;

describe('checkpoints of a store that crashed or was damaged', () => {
  it('are there again when the process is killed before their data is flushed', async () => {
    const engine = await open({ memtableBytes: 1 << 20, sync: 'always' });
    const model: Model = new Map();
    fill(engine, model, 0, 300, 'old');
    const made = await engine.checkpoints.create({ name: 'before' });
    const then = new Map(model);
    fill(engine, model, 100, 400, 'new');
    await engine.whenDurable(engine.sequence);
    // What a kill leaves: the files as they are now, with and without the flush that is under way.
    const copy = join(directory.path, 'copy');
    mkdirSync(copy);
    for (const name of ['IDENTITY', 'CHECKPOINTS', '000001.log'])
      writeFileSync(join(copy, name), readFileSync(join(store(), name)));
    await engine.close();

    const reader = await Engine.open(copy, { isReadOnly: true });
    expect(reader.checkpoints.show('before')).toMatchObject({ id: made.id, isWritten: false });
    expect(contentOf(reader.checkpoints.open('before'))).toEqual(sorted(then));
    await expect(reader.checkpoints.create()).rejects.toMatchObject({ code: 'STORE_READ_ONLY' });
    await reader.close();

    await using again = await Engine.open(copy, small);
    expect(contentOf(again.checkpoints.open('before'))).toEqual(sorted(then));
    expect(contentOf(again)).toEqual(sorted(model));
    await again.flush();
    expect(again.checkpoints.show('before')).toMatchObject({ isWritten: true, entries: 300 });
    expect(contentOf(again.checkpoints.open('before'))).toEqual(sorted(then));
  });

  it('are what they were when the process is killed right after their flush, and the log goes on with a batch that counts nothing', async () => {
    const gate = new FlushGate();
    const engine = await open({ memtableBytes: 1 << 20, files: gate.files });
    const model: Model = new Map();
    fill(engine, model, 0, 100, 'old');
    await engine.checkpoints.create({ name: 'flushed' });
    const then = new Map(model);
    const listed = readFileSync(join(store(), 'CHECKPOINTS'));
    gate.open();
    await engine.flush();
    await engine.write(new WriteBatchBuilder().logData(Buffer.from('no record')).finish(), {
      sync: 'always',
    });
    const killed = directory.killed();
    writeFileSync(join(killed, 'CHECKPOINTS'), listed);
    await engine.close();

    for (let round = 0; round < 2; round++) {
      await using again = await Engine.open(killed, small);
      fill(again, model, 0, 50, `${round}`);
      await again.flush();
      expect(again.checkpoints.show('flushed').isWritten).toBe(true);
      expect(contentOf(again.checkpoints.open('flushed'))).toEqual(sorted(then));
      expect(contentOf(again)).toEqual(sorted(model));
    }
  });

  it('are made at once, several of them, while nothing can be flushed, and are whole after a crash then', async () => {
    const gate = new FlushGate();
    let nowMs = Date.parse('2026-01-01');
    const engine = await open({
      sync: 'always',
      memtableBytes: 20_000,
      files: gate.files,
      nowMs: () => nowMs,
    });
    const model: Model = new Map();
    const kept = new Map<string, Model>();
    for (let i = 0; i < 6; i++) {
      fill(engine, model, i * 50, i * 50 + 100, `round ${i}`);
      const { id } = await engine.checkpoints.create({
        name: `${i}`,
        ...(i === 3 && { lifetimeMs: 10_000 }),
      });
      kept.set(id, new Map(model));
      expect(engine.checkpoints.show(id).isWritten).toBe(false);
    }
    const forget = ({ id }: { id: string }): boolean => kept.delete(id);
    forget(await engine.checkpoints.delete('1'));
    fill(engine, model, 600, 700, 'behind');
    const advanced = await engine.checkpoints.refresh('2', { isAdvanced: true });
    kept.set(advanced.id, new Map(model));
    const copied = await engine.checkpoints.create({ name: 'copy', source: '4' });
    kept.set(copied.id, new Map(kept.get(engine.checkpoints.show('4').id)));
    forget(engine.checkpoints.show('3'));
    nowMs += 20_000;
    expect(() => engine.checkpoints.open(`name:3`)).toThrow(/no checkpoint/);
    expect(await engine.checkpoints.reap()).toBe(1);
    const expectKept = (of: Engine): void => {
      expect(new Set(of.checkpoints.list().map(({ id }) => id))).toEqual(new Set(kept.keys()));
      for (const [id, then] of kept) {
        const reader = of.checkpoints.open(id);
        expect(contentOf(reader)).toEqual(sorted(then));
        reader.close();
      }
      expect(contentOf(of)).toEqual(sorted(model));
    };
    expectKept(engine);
    const crashed = directory.killed();

    const restored = engine.checkpoints.restore('0', join(directory.path, 'restored')); // waits for its pages
    gate.open();
    await restored;
    await engine.flush();
    expect(engine.checkpoints.list().every(({ isWritten }) => isWritten)).toBe(true);
    expectKept(engine);
    await engine.check();
    await engine.close();
    await using again = await Engine.open(crashed, { ...small, nowMs: () => nowMs });
    expectKept(again);
    await again.flush();
    expect(again.checkpoints.list().every(({ isWritten }) => isWritten)).toBe(true);
    expectKept(again);
    await again.check();
  });

  it('are refused, as damage, with a data file that has lost the state which one of them holds', async () => {
    const model: Model = new Map();
    {
      await using engine = await open();
      fill(engine, model, 0, 10, 'then');
      await engine.checkpoints.create({ name: 'then' });
      await engine.flush();
      expect(engine.checkpoints.show('then').isWritten).toBe(true);
    }
    const path = join(store(), 'data');
    const bytes = readFileSync(path);
    const epochs = [0, 4096].map((at) => bytes.readDoubleLE(at + 32));
    const newest = epochs[0] > epochs[1] ? 0 : 4096;
    for (const copy of [0, 2048]) bytes[newest + copy + 20] ^= 0xff;
    writeFileSync(path, bytes);
    for (const isReadOnly of [true, false])
      await expect(open({ isReadOnly })).rejects.toMatchObject({
        code: 'STORE_CORRUPT',
        message: expect.stringContaining('its newest superblock is damaged'),
      });
  });

  it('are forgotten when the log that they need was not on disk yet, and refused when it was', async () => {
    const gate = new FlushGate();
    const logs = new Set<number>();
    let endHold = (): void => {};
    let held: Promise<void> | undefined;
    const files: Files = {
      ...gate.files,
      open: async (path, flags) => {
        const fd = await gate.files.open(path, flags);
        if (path.endsWith('.log')) logs.add(fd);
        else logs.delete(fd);
        return fd;
      },
      datasync: async (fd) => {
        if (logs.has(fd)) await held;
        await gate.files.datasync(fd);
      },
    };
    const engine = await open({ segmentBytes: 1 << 20, files });
    const model: Model = new Map();
    fill(engine, model, 0, 100, 'old');
    await engine.checkpoints.create({ name: 'made' });
    const then = new Map(model);
    const durableLog = readFileSync(join(store(), '000001.log'));
    held = new Promise((resolve) => {
      endHold = resolve;
    });
    fill(engine, model, 50, 200, 'new');
    const making = engine.checkpoints.create({ name: 'in the making' });
    // The power fails now: the list has reached the disk, the newest part of the log has not.
    const crash = (name: string): string => {
      const path = join(directory.path, name);
      mkdirSync(path);
      for (const file of ['IDENTITY', 'CHECKPOINTS'])
        writeFileSync(join(path, file), readFileSync(join(store(), file)));
      writeFileSync(join(path, '000001.log'), durableLog);
      return path;
    };
    const listed = (): string => readFileSync(join(store(), 'CHECKPOINTS'), 'utf8');
    await waitUntil('it is listed', () => listed().includes('in the making'));
    const early = crash('early');
    endHold();
    await making;
    await engine.checkpoints.refresh('made');
    const late = crash('late');
    gate.open();
    await engine.close();

    const reader = await Engine.open(early, { isReadOnly: true });
    expect(reader.checkpoints.list().map(({ name }) => name)).toEqual(['made']);
    await reader.close();
    for (let round = 0; round < 2; round++) {
      await using again = await Engine.open(early, small);
      expect(again.checkpoints.list().map(({ name }) => name)).toEqual(['made']);
      expect(contentOf(again.checkpoints.open('made'))).toEqual(sorted(then));
      expect(contentOf(again).length).toBe(round === 0 ? 100 : 500);
      // Its sequence number now belongs to something else.
      fill(again, new Map(), 0, 500, 'other');
    }
    await expect(Engine.open(late, small)).rejects.toMatchObject({ code: 'STORE_CORRUPT' });
  });

  it.each([
    ['deleted', (engine: Engine) => engine.checkpoints.delete('gone')],
    ['replaced', (engine: Engine) => engine.checkpoints.create({ name: 'gone', ifNameExists: 'replace' })],
    ['advanced', (engine: Engine) => engine.checkpoints.refresh('gone', { isAdvanced: true })],
  ] as const)(
    'are there until the list without them is durable: the flush beside waits for that when one is %s',
    async (_, leave) => {
      const gate = new FlushGate();
      let list = -1;
      let endHold = (): void => {};
      let held: Promise<void> | undefined;
      const files: Files = {
        ...gate.files,
        open: async (path, flags) => {
          const fd = await gate.files.open(path, flags);
          if (path.endsWith('/CHECKPOINTS')) list = fd;
          return fd;
        },
        writeFew: async (fd, bytes, position) => {
          if (fd === list) await held;
          await gate.files.writeFew(fd, bytes, position);
        },
      };
      const engine = await open({ memtableBytes: 1 << 20, files });
      const model: Model = new Map();
      fill(engine, model, 0, 100, 'first');
      const flushing = engine.flush();
      fill(engine, model, 50, 150, 'then');
      const { sequence } = await engine.checkpoints.create({ name: 'gone' });
      const then = new Map(model);
      fill(engine, model, 100, 200, 'new');
      held = new Promise((resolve) => {
        endHold = resolve;
      });
      const leaving = leave(engine);
      const flushingAll = engine.flush();
      gate.open();
      await waitUntil('its data is flushed', () => engine.stats().flushedSequence >= sequence);
      const killed = directory.killed();
      endHold();
      await Promise.all([leaving, flushing, flushingAll]);
      await engine.check();
      await engine.close();

      await using again = await Engine.open(killed, small);
      expect(contentOf(again.checkpoints.open('gone'))).toEqual(sorted(then));
      expect(contentOf(again)).toEqual(sorted(model));
    },
  );

  it('refuse a damaged catalog, and come back from a whole log when the data file is lost', async () => {
    const engine = await open();
    const model: Model = new Map();
    fill(engine, model, 0, 100, 'x');
    await engine.checkpoints.create();
    await engine.close();
    const catalog = join(store(), 'CHECKPOINTS');
    const content = readFileSync(catalog, 'utf8');
    writeFileSync(
      catalog,
      content
        .replaceAll('"generation":1', '"generation":2')
        .replaceAll('"checkpoints":[]', '"checkpoints": []'),
    );
    await expect(open()).rejects.toMatchObject({ code: 'STORE_CORRUPT' });
    writeFileSync(catalog, content);
    expect(existsSync(join(store(), 'data'))).toBe(true);
    rmSync(join(store(), 'data'));
    await using again = await open();
    expect(contentOf(again.checkpoints.open('@latest'))).toEqual(sorted(model));
  });

  it('end the store when their list cannot be written: what the file holds then nobody knows', async () => {
    let catalog: number | undefined;
    let isBroken = false;
    const files: Files = {
      ...nodeFiles,
      open: async (path, flags) => {
        const fd = await nodeFiles.open(path, flags);
        if (path.endsWith('CHECKPOINTS')) catalog = fd;
        return fd;
      },
      datasync: (fd) =>
        isBroken && fd === catalog ? Promise.reject(new Error('EIO: i/o error')) : nodeFiles.datasync(fd),
    };
    const engine = await open({ files });
    await engine.checkpoints.create({ name: 'kept' });
    isBroken = true;
    await expect(engine.checkpoints.delete('kept')).rejects.toMatchObject({ code: 'FILE_INACCESSIBLE' });
    expect(engine.failure).toMatchObject({ code: 'STORE_FAILED' });
    isBroken = false;
    await engine.close();
  });
});
