import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { Engine, type RetentionEvent, type RetentionOptions, readSlots } from '../../src/engine/index.js';
import { readSeals } from '../../src/engine/wal/segment-seals.js';
import { type Files, nodeFiles } from '../../src/files/index.js';
import { WriteBatchBuilder } from '../../src/write-batch/index.js';
import { throwAwayDirectory } from '../services/index.js';

const root = throwAwayDirectory('retention');
afterAll(() => root.remove());

/** Nothing is kept that nobody asks for. */
const frugal: Partial<RetentionOptions> = { keepMs: -60_000, keepBytes: 0, intervalMs: 3_600_000 };
const segmentBytes = 4_096;

const openStore = (name: string, retention: Partial<RetentionOptions> = {}): Promise<Engine> =>
  Engine.open(join(root.path, name), { sync: 'none', segmentBytes, retention: { ...frugal, ...retention } });

/** Writes batches of one put; returns the last sequence number. */
const fill = async (engine: Engine, batches: number): Promise<number> => {
  for (let i = 0; i < batches; i++) {
    const key = Buffer.from(`key ${engine.sequence + 1}`);
    await engine.write(new WriteBatchBuilder().put(0, key, Buffer.alloc(200, 'v')).finish());
  }
  return engine.sequence;
};

const logFiles = (engine: Engine): string[] =>
  readdirSync(engine.directory).filter((name) => name.endsWith('.log'));

const firstOf = (engine: Engine): number => engine.stats().firstLogSequence;

/** Files that tell, by `whenStored`, when the slots have been written to disk. */
const tellingOfSlots = (): { readonly files: Files; whenStored: () => void } => {
  const told = {
    whenStored: (): void => {},
    files: {
      ...nodeFiles,
      rename: async (from: string, to: string) => {
        await nodeFiles.rename(from, to);
        if (to.endsWith('SLOTS')) told.whenStored();
      },
    },
  };
  return told;
};

describe('log retention', () => {
  it('removes nothing that recovery needs, and everything else but the newest segment when nobody asks for it', async () => {
    const directory = join(root.path, 'recovery');
    const engine = await openStore('recovery');
    await fill(engine, 200);
    expect(await engine.trimLog()).toEqual([]);
    expect(firstOf(engine)).toBe(1);
    await engine.flush();
    const before = logFiles(engine).length;
    const removed = await engine.trimLog();
    expect(removed.length).toBe(before - 1);
    expect(logFiles(engine)).toHaveLength(1);
    expect(engine.get(0, Buffer.from('key 1'))).toBeDefined();
    expect(() => engine.walIterator(0)).toThrow(expect.objectContaining({ code: 'WAL_PURGED' }));
    const last = await fill(engine, 50);
    await engine.close();
    await using again = await Engine.open(directory);
    expect(again.sequence).toBe(last);
    for (let i = 1; i <= last; i++) expect(again.get(0, Buffer.from(`key ${i}`))).toBeDefined();
  });

  it('removes nothing when the slots cannot be stored, and stores them with the next look', async () => {
    let isBroken = false;
    const files: Files = {
      ...nodeFiles,
      rename: (from, to) =>
        isBroken && to.endsWith('SLOTS') ? Promise.reject(new Error('EIO')) : nodeFiles.rename(from, to),
    };
    const path = join(root.path, 'slots-broken');
    await using engine = await Engine.open(path, { sync: 'none', segmentBytes, retention: frugal, files });
    await engine.slots.register('consumer', 0);
    const last = await fill(engine, 100);
    await engine.flush();
    engine.slots.acknowledge('consumer', last);
    isBroken = true;
    const before = logFiles(engine);
    await expect(engine.trimLog()).rejects.toMatchObject({ code: 'FILE_INACCESSIBLE' });
    expect(logFiles(engine)).toEqual(before);
    isBroken = false;
    expect(await engine.trimLog()).not.toEqual([]);
    expect(readSlots(path)).toMatchObject([{ name: 'consumer', acknowledged: last }]);
  });

  it('keeps the log for a slot that is made while it is about to be removed', async () => {
    const told = tellingOfSlots();
    const { files } = told;
    const path = join(root.path, 'slot-meanwhile');
    await using engine = await Engine.open(path, { sync: 'none', segmentBytes, retention: frugal, files });
    await engine.slots.register('first', 0);
    const last = await fill(engine, 100);
    await engine.flush();
    engine.slots.acknowledge('first', last);
    let made: Promise<unknown> | undefined;
    told.whenStored = () => {
      made ??= engine.slots.register('second', 0);
    };
    expect(await engine.trimLog()).toEqual([]);
    await made;
    expect(engine.retention).toMatchObject({ lostSlots: [] });
    expect(firstOf(engine)).toBe(1);
  });

  it('keeps the log for what slots say on disk, though they have come further since', async () => {
    const told = tellingOfSlots();
    const { files } = told;
    const path = join(root.path, 'slot-further');
    await using engine = await Engine.open(path, { sync: 'none', segmentBytes, retention: frugal, files });
    await engine.slots.register('slot', 0);
    const last = await fill(engine, 100);
    await engine.flush();
    engine.slots.acknowledge('slot', 1);
    told.whenStored = () => engine.slots.acknowledge('slot', last);
    expect(await engine.trimLog()).toEqual([]);
    expect(readSlots(path)).toMatchObject([{ acknowledged: 1 }]);
    told.whenStored = () => {};
    expect((await engine.trimLog()).length).toBeGreaterThan(0);
  });

  it('keeps the log for a checkpoint that asks for it, until that is deleted', async () => {
    await using engine = await openStore('checkpoint');
    const sequence = await fill(engine, 50);
    const { id } = await engine.checkpoints.create({ name: 'base', holdsLog: true });
    await fill(engine, 100);
    await engine.flush();
    await engine.trimLog();
    expect(engine.retention?.holds[0]).toEqual({ holder: 'checkpoint', name: 'base', from: sequence });
    engine.walIterator(sequence).close();
    await engine.checkpoints.delete(id);
    expect((await engine.trimLog()).length).toBeGreaterThan(0);
    expect(firstOf(engine)).toBeGreaterThan(sequence);
  });

  it('goes on where it stopped when a file of the log cannot be removed, and passes over one that is gone', async () => {
    let left = 3;
    let code = 'EBUSY';
    const files: Files = {
      ...nodeFiles,
      remove: (path) =>
        left-- === 0
          ? Promise.reject(Object.assign(new Error(`${code}: no`), { code }))
          : nodeFiles.remove(path),
    };
    const path = join(root.path, 'busy');
    await using engine = await Engine.open(path, { sync: 'none', segmentBytes, retention: frugal, files });
    expect(await engine.trimLog()).toEqual([]);
    await fill(engine, 200);
    await engine.flush();
    const before = logFiles(engine);
    expect(await engine.trimLog()).toEqual(before.slice(0, 3).map((name) => join(path, name)));
    expect(logFiles(engine)).toEqual(before.slice(3));
    expect(readSeals(path)[0].number).toBe(Number.parseInt(before[3], 10));
    const first = firstOf(engine);
    expect(engine.walIterator(first - 1).item.sequence).toBe(first);
    left = 0;
    await expect(engine.trimLog()).rejects.toMatchObject({
      code: 'FILE_INACCESSIBLE',
      context: { file: join(path, before[3]) },
    });
    expect(firstOf(engine)).toBe(first);
    left = 0;
    code = 'ENOENT';
    expect(await engine.trimLog()).toHaveLength(before.length - 4);
    expect(firstOf(engine)).toBeGreaterThan(first);
  });

  it('keeps what slots have not acknowledged, the acknowledged batch included, through restarts', async () => {
    let engine = await openStore('slots');
    await fill(engine, 100);
    await engine.slots.register('slow', 0);
    await engine.slots.register('fast', 0);
    await engine.flush();
    engine.slots.acknowledge('fast', 90);
    engine.slots.acknowledge('fast', 20); // never goes back
    expect(await engine.trimLog()).toEqual([]);
    expect(engine.retention?.holds[0]).toMatchObject({ holder: 'slot', name: 'slow', from: 1 });
    engine.slots.acknowledge('slow', 60);
    expect((await engine.trimLog()).length).toBeGreaterThan(0);
    expect(firstOf(engine)).toBeGreaterThan(1);
    expect(firstOf(engine)).toBeLessThanOrEqual(60);
    const iterator = engine.walIterator(59);
    expect(iterator.item.sequence).toBe(60);
    iterator.close();
    await engine.close();
    engine = await openStore('slots');
    expect(engine.slots.list()).toMatchObject([
      { name: 'fast', acknowledged: 90 },
      { name: 'slow', acknowledged: 60 },
    ]);
    expect(readSlots(engine.directory)).toHaveLength(2);
    expect(await engine.trimLog()).toEqual([]);
    expect(await engine.slots.drop('slow')).toBe(true);
    expect(await engine.slots.drop('slow')).toBe(false);
    await engine.trimLog();
    expect(firstOf(engine)).toBeGreaterThan(60);
    expect(firstOf(engine)).toBeLessThanOrEqual(90);
    await engine.close();
  });

  it('keeps young changes and the newest bytes', async () => {
    await using young = await openStore('young', { keepMs: 3_600_000 });
    await fill(young, 100);
    await young.flush();
    expect(await young.trimLog()).toEqual([]);
    await using sized = await openStore('sized', { keepBytes: 5 * segmentBytes });
    await fill(sized, 200);
    await sized.flush();
    const removed = await sized.trimLog();
    expect(removed.length).toBeGreaterThan(0);
    expect(sized.stats().logBytes).toBeGreaterThanOrEqual(5 * segmentBytes);
    expect(sized.stats().logBytes).toBeLessThan(7 * segmentBytes);
  });

  it('tells an iterator that is overtaken in the middle of the log that what it needs next is gone', async () => {
    const engine = await openStore('overtaken');
    await fill(engine, 200);
    const iterator = engine.walIterator(0);
    await engine.flush();
    await engine.trimLog();
    let read = 0;
    expect(() => {
      for (; iterator.valid; iterator.next()) read = iterator.item.sequence;
    }).toThrow(expect.objectContaining({ code: 'WAL_PURGED' }));
    expect(read).toBeGreaterThan(1);
    expect(read + 1).toBeLessThan(firstOf(engine));
    expect(() => iterator.next()).toThrow(
      expect.objectContaining({ context: { wanted: read + 1, first: firstOf(engine) } }),
    );
    iterator.close();
    await engine.close();
  });

  it('keeps a small bound without being told how long a segment is', async () => {
    const retention = { ...frugal, maxBytes: 2 * 2 ** 20 };
    await using engine = await Engine.open(join(root.path, 'small'), { sync: 'none', retention });
    await engine.slots.register('absent', 0);
    for (let i = 0; i < 80; i++)
      await engine.write(
        new WriteBatchBuilder().put(0, Buffer.from(`key ${i}`), Buffer.alloc(100_000)).finish(),
      );
    await engine.flush();
    await engine.trimLog();
    expect(engine.stats().logBytes).toBeLessThanOrEqual(retention.maxBytes);
    expect(engine.stats().logBytes).toBeGreaterThan(retention.maxBytes / 2);
  });

  it('tells once who lost what when the log reaches its bound, and purges nothing that is not flushed', async () => {
    const events: RetentionEvent[] = [];
    const engine = await openStore('bound', {
      maxBytes: 3 * segmentBytes,
      onEvent: (event) => events.push(event),
    });
    await engine.slots.register('absent', 0);
    await fill(engine, 200);
    expect(await engine.trimLog()).toEqual([]);
    expect(events).toEqual([]);
    await engine.flush();
    await engine.trimLog();
    expect(engine.stats().logBytes).toBeLessThanOrEqual(3 * segmentBytes);
    expect(events.map((event) => event.kind)).toEqual(['removed', 'slot-lost']);
    expect(events[1]).toMatchObject({ slot: { name: 'absent' }, firstSequence: firstOf(engine) });
    expect(engine.retention).toMatchObject({ lostSlots: ['absent'] });
    expect(engine.retention?.holds.map((hold) => hold.holder)).not.toContain('slot');
    await engine.trimLog();
    await engine.close();
    await using again = await openStore('bound', { onEvent: (event) => events.push(event) });
    await again.trimLog();
    again.slots.acknowledge('absent', again.sequence);
    expect(again.retention?.lostSlots).toEqual([]);
    expect(events.filter((event) => event.kind === 'slot-lost')).toHaveLength(1);
  });

  it('lets go of slots that were not heard of for long', async () => {
    await using engine = await openStore('idle', { maxSlotIdleMs: -1 });
    await engine.slots.register('gone', 0);
    await fill(engine, 100);
    await engine.flush();
    expect((await engine.trimLog()).length).toBeGreaterThan(0);
  });

  it('keeps the log for slots that were heard of within the time, however long ago this process heard of them', async () => {
    await using engine = await openStore('quiet');
    await engine.slots.register('quiet', 0);
    await fill(engine, 100);
    await engine.flush();
    const clock = vi.spyOn(performance, 'now').mockReturnValue(performance.now() + 24 * 3_600_000);
    try {
      expect(await engine.trimLog()).toEqual([]);
    } finally {
      clock.mockRestore();
    }
  });

  it('lets a consumer come back that was stopped together with the store for long', async () => {
    const maxSlotIdleMs = 3_600_000;
    let engine = await openStore('back', { maxSlotIdleMs });
    await engine.slots.register('stopped-too', 0);
    await fill(engine, 100);
    await engine.flush();
    await engine.close();
    const path = join(engine.directory, 'SLOTS');
    const slots = readSlots(engine.directory).map((slot) => ({ ...slot, seenMs: 1 }));
    writeFileSync(path, JSON.stringify({ version: 1, slots }));
    engine = await openStore('back', { maxSlotIdleMs });
    expect(await engine.trimLog()).toEqual([]);
    engine.slots.acknowledge('stopped-too', 50);
    expect((await engine.trimLog()).length).toBeGreaterThan(0);
    engine.walIterator(49).close();
    await engine.close();
  });

  it('refuses names and files that are none', async () => {
    const engine = await openStore('names');
    for (const name of ['', 'a b', 'ü', 'x'.repeat(201)])
      await expect(engine.slots.register(name, 0)).rejects.toMatchObject({ code: 'SLOT_INVALID' });
    expect(() => engine.slots.acknowledge('nobody', 1)).toThrow(
      expect.objectContaining({ code: 'SLOT_NOT_FOUND' }),
    );
    const path = join(engine.directory, 'SLOTS');
    expect(existsSync(path)).toBe(false);
    await engine.close();
    for (const slots of ['1', '[{"name":1}]', '[{"name":"a","acknowledged":-1}]']) {
      writeFileSync(path, `{"version":1,"slots":${slots}}`);
      await expect(openStore('names')).rejects.toMatchObject({
        code: 'STORE_CORRUPT',
        message: expect.stringMatching(/SLOTS: it is no list of slots$/),
      });
    }
    for (const text of ['', '{', '[]', '{"slots":[]}', '{"version":2,"slots":[]}']) {
      writeFileSync(path, text);
      await expect(openStore('names')).rejects.toMatchObject({ code: 'STORE_CORRUPT' });
    }
  });

  it('reads slots as older versions stored them, and none of which any byte was changed', async () => {
    let engine = await openStore('bits');
    await engine.slots.register('consumer', 0);
    const last = await fill(engine, 20);
    engine.slots.acknowledge('consumer', last);
    const slots = engine.slots.list();
    await engine.close();
    const path = join(engine.directory, 'SLOTS');
    const whole = readFileSync(path);
    for (let byte = 0; byte < whole.length; byte++) {
      const damaged = Buffer.from(whole);
      damaged[byte] ^= 1 << (byte & 7);
      writeFileSync(path, damaged);
      try {
        expect(readSlots(engine.directory)).toEqual(slots); // spaces may be others
      } catch (error) {
        expect(error).toMatchObject({ code: 'STORE_CORRUPT', context: { file: path } });
      }
    }
    await expect(openStore('bits')).rejects.toMatchObject({ code: 'STORE_CORRUPT' });
    writeFileSync(path, `${JSON.stringify({ version: 1, slots }, undefined, 1)}\n`);
    engine = await openStore('bits');
    expect(engine.slots.list()).toEqual(slots);
    await engine.close();
  });

  it('tells a reader beside the writer that what it wants was removed from the log', async () => {
    const engine = await openStore('beside');
    await fill(engine, 200);
    await using reader = await Engine.open(engine.directory, { isReadOnly: true });
    await engine.flush();
    expect((await engine.trimLog()).length).toBeGreaterThan(0);
    expect(() => reader.walIterator(0)).toThrow(
      expect.objectContaining({
        code: 'WAL_PURGED',
        context: { wanted: 1, first: firstOf(engine) },
      }),
    );
    await engine.close();
  });

  it('closes all else of the store when its slots cannot be stored', async () => {
    const directory = join(root.path, 'unstored');
    const open = new Set<number>();
    let isFull = false;
    const files: Files = {
      ...nodeFiles,
      open: async (path, flags) => {
        if (isFull && path.endsWith('SLOTS.tmp')) throw new Error('ENOSPC: no space left');
        const fd = await nodeFiles.open(path, flags);
        if (!path.endsWith('/data')) open.add(fd);
        return fd;
      },
      close: async (fd) => {
        open.delete(fd);
        await nodeFiles.close(fd);
      },
    };
    const engine = await Engine.open(directory, { sync: 'none', files });
    await engine.slots.register('consumer', 0);
    const last = await fill(engine, 10);
    engine.slots.acknowledge('consumer', last);
    isFull = true;
    await expect(engine.close()).rejects.toMatchObject({ code: 'FILE_INACCESSIBLE' });
    expect(open).toEqual(new Set());
    expect(readSeals(directory)).toMatchObject([{ lastSequence: last }]);
    await using again = await Engine.open(directory);
    expect(again.sequence).toBe(last);
  });
});
