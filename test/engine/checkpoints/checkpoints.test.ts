import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  applyCheckpointExport,
  type DataReader,
  Engine,
  type EngineOptions,
} from '../../../src/engine/index.js';
import { type Files, nodeFiles } from '../../../src/files/index.js';
import { WriteBatchBuilder } from '../../../src/write-batch/index.js';
import { throwAwayDirectory } from '../../services/index.js';
import { FlushGate } from '../../support/flush-gate.js';
import { SeededRandom } from '../../support/seeded-random.js';
import { waitUntil } from '../../support/wait-until.js';

let directory: ReturnType<typeof throwAwayDirectory>;
beforeEach(() => {
  directory = throwAwayDirectory('checkpoints');
});
afterEach(() => directory.remove());

const small = {
  sync: 'none',
  memtableBytes: 20_000,
  pageCacheBytes: 300_000,
  segmentBytes: 100_000,
} as const;
const store = (): string => join(directory.path, 'store');
const open = (options: EngineOptions = {}): Promise<Engine> => Engine.open(store(), { ...small, ...options });

type Model = Map<string, string>;
const contentOf = (reader: Pick<DataReader, 'iterate'>): [string, string][] =>
  [...reader.iterate({ columnFamily: 0 })].map(({ key, value }) => [key.toString(), value.toString()]);
const sorted = (model: Model): [string, string][] => [...model].sort(([a], [b]) => (a < b ? -1 : 1));
const put = (engine: Engine, model: Model, key: string, value: string): void => {
  engine.commit(new WriteBatchBuilder().put(0, Buffer.from(key), Buffer.from(value)).finish());
  model.set(key, value);
};
const fill = (engine: Engine, model: Model, from: number, to: number, value: string): void => {
  for (let i = from; i < to; i++) put(engine, model, `key:${String(i).padStart(5, '0')}`, `${value}:${i}`);
};

describe('checkpoints', () => {
  it('show the data of their sequence number through writes, flushes, restarts and deletion of others', async () => {
    const random = SeededRandom.fromEnvironment('checkpoints model');
    let engine = await open();
    const model: Model = new Map();
    const kept = new Map<string, Model>();
    for (let round = 0; round < 120; round++) {
      for (let i = random.below(120); i >= 0; i--) {
        const key = `k${random.below(900)}`;
        if (random.next() < 0.75) put(engine, model, key, random.bytes(random.below(60)).toString('hex'));
        else {
          engine.commit(new WriteBatchBuilder().delete(0, Buffer.from(key)).finish());
          model.delete(key);
        }
      }
      const dice = random.next();
      const ids = [...kept.keys()];
      const id = ids[random.below(Math.max(1, ids.length))];
      if (dice < 0.25) {
        const made = await engine.checkpoints.create({ name: `round ${round}` });
        kept.set(made.id, new Map(model));
        expect(made.sequence).toBe(engine.sequence);
      } else if (dice < 0.35 && id !== undefined) {
        await engine.checkpoints.delete(id);
        kept.delete(id);
      } else if (dice < 0.45 && id !== undefined) {
        const { generation } = engine.checkpoints.show(id);
        const advanced = await engine.checkpoints.refresh(id, { isAdvanced: true });
        expect(advanced).toMatchObject({ id, sequence: engine.sequence, generation: generation + 1 });
        kept.set(id, new Map(model));
      } else if (dice < 0.55 && id !== undefined) {
        const copy = await engine.checkpoints.create({ source: id });
        kept.set(copy.id, new Map(kept.get(id) ?? []));
      } else if (dice < 0.65) {
        await engine.close();
        engine = await open();
      } else if (dice < 0.75 && id !== undefined) {
        const reader = engine.checkpoints.open(id);
        expect(contentOf(reader)).toEqual(sorted(kept.get(id) ?? new Map()));
        reader.close();
      } else if (dice < 0.85) {
        await engine.whenDurable(engine.sequence);
      }
    }
    await engine.check();
    for (const [id, then] of kept) {
      const reader = engine.checkpoints.open(id);
      expect(contentOf(reader)).toEqual(sorted(then));
      expect(reader.sequence).toBe(engine.checkpoints.show(id).sequence);
      reader.close();
    }
    expect(contentOf(engine)).toEqual(sorted(model));
    await engine.close();
  });

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
    const crashed = join(directory.path, 'crashed');
    cpSync(store(), crashed, { recursive: true, filter: (source) => !source.endsWith('LOCK') });

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

  it('expire: at once for who opens them, and for good when they are reaped', async () => {
    let nowMs = Date.parse('2030-01-01T00:00:00.000Z');
    await using engine = await open({ nowMs: () => nowMs });
    const model: Model = new Map();
    fill(engine, model, 0, 50, 'x');
    const made = await engine.checkpoints.create({ name: 'short', lifetimeMs: 60_000 });
    expect(made).toMatchObject({ expires: '2030-01-01T00:01:00.000Z', lifetimeMs: 60_000 });
    nowMs += 40_000;
    expect(await engine.checkpoints.refresh('short')).toMatchObject({ expires: '2030-01-01T00:01:40.000Z' });
    expect(await engine.checkpoints.refresh('short', { lifetimeMs: null })).toMatchObject({ expires: null });
    await engine.checkpoints.refresh('short', { lifetimeMs: 1_000 });
    nowMs += 1_000;
    expect(engine.checkpoints.list({ state: 'expired' }).map(({ id }) => id)).toEqual([made.id]);
    expect(() => engine.checkpoints.open(made.id)).toThrow(
      expect.objectContaining({ code: 'CHECKPOINT_EXPIRED' }),
    );
    await expect(engine.checkpoints.refresh(made.id)).rejects.toMatchObject({ code: 'CHECKPOINT_EXPIRED' });
    expect(await engine.checkpoints.reap()).toBe(1);
    expect(engine.checkpoints.list()).toEqual([]);
    await expect(engine.checkpoints.create({ lifetimeMs: 10 })).rejects.toMatchObject({
      code: 'LIMIT_EXCEEDED',
    });
  });

  it('are found by id, its beginning, name and @latest, and names can be kept unique', async () => {
    await using engine = await open();
    const model: Model = new Map();
    fill(engine, model, 0, 10, 'x');
    const first = await engine.checkpoints.create({ name: 'nightly', labels: { host: 'a' } });
    fill(engine, model, 10, 20, 'x');
    const second = await engine.checkpoints.create({ name: 'nightly', creator: 'cli', holdsLog: true });
    expect(engine.checkpoints.list().map(({ id }) => id)).toEqual([second.id, first.id]);
    expect(engine.checkpoints.show(first.id)).toMatchObject({ labels: { host: 'a' }, holdsLog: false });
    expect(engine.checkpoints.show(first.id.slice(0, 8)).id).toBe(first.id);
    for (const reference of ['nightly', 'name:nightly', '@latest'])
      expect(engine.checkpoints.show(reference).id).toBe(second.id);
    expect(() => engine.checkpoints.show('weekly')).toThrow(
      expect.objectContaining({ code: 'CHECKPOINT_NOT_FOUND' }),
    );
    expect(engine.checkpoints.logHolds).toEqual([{ name: 'nightly', from: second.sequence }]);
    await expect(
      engine.checkpoints.create({ name: 'nightly', ifNameExists: 'refuse' }),
    ).rejects.toMatchObject({
      code: 'CHECKPOINT_NAME_TAKEN',
    });
    const third = await engine.checkpoints.create({ name: 'nightly', ifNameExists: 'replace' });
    expect(engine.checkpoints.list().map(({ id }) => id)).toEqual([third.id]);
    expect(engine.checkpoints.logHolds).toEqual([]);
  });

  it('are restored to a new store that goes on from their sequence number', async () => {
    await using engine = await open();
    const model: Model = new Map();
    fill(engine, model, 0, 2_000, 'then');
    put(engine, model, 'large', 'x'.repeat(50_000));
    const { sequence } = await engine.checkpoints.create({ name: 'base' });
    const then = new Map(model);
    fill(engine, model, 500, 3_000, 'now');
    const target = join(directory.path, 'restored');
    expect(await engine.checkpoints.restore('base', target)).toMatchObject({ sequence });
    await expect(engine.checkpoints.restore('base', target)).rejects.toMatchObject({
      code: 'FILE_INACCESSIBLE',
    });
    await using restored = await Engine.open(target, small);
    expect(restored.identity.id).not.toBe(engine.identity.id);
    expect(contentOf(restored)).toEqual(sorted(then));
    await restored.check();
    expect(restored.checkpoints.list()).toEqual([]);
    const { first } = await restored.write(
      new WriteBatchBuilder().put(0, Buffer.from('next'), Buffer.from('1')).finish(),
    );
    expect(first).toBe(sequence + 1);
    expect(restored.walIterator(sequence).item.sequence).toBe(first);
    expect(() => restored.walIterator(0)).toThrow(expect.objectContaining({ code: 'WAL_PURGED' }));
  });

  it('leave nothing behind when there is no room to restore or export one', async () => {
    let left = Number.POSITIVE_INFINITY;
    const files: Files = {
      ...nodeFiles,
      write: (fd, bytes, position) =>
        left-- > 0
          ? nodeFiles.write(fd, bytes, position)
          : Promise.reject(Object.assign(new Error('ENOSPC: no space left'), { code: 'ENOSPC' })),
    };
    await using engine = await open({ files });
    const model: Model = new Map();
    fill(engine, model, 0, 3_000, 'x');
    await engine.checkpoints.create({ name: 'base' });
    await engine.flush();
    const target = join(directory.path, 'restored');
    const file = join(directory.path, 'base.export');
    for (const writes of [0, 1, 2]) {
      left = writes;
      const full = { code: 'FILE_INACCESSIBLE', message: expect.stringContaining('ENOSPC') };
      await expect(engine.checkpoints.restore('base', target)).rejects.toMatchObject(full);
      left = writes;
      await expect(engine.checkpoints.export('base', file)).rejects.toMatchObject(full);
      left = Number.POSITIVE_INFINITY;
      expect(readdirSync(target)).toEqual([]);
      expect(existsSync(file)).toBe(false);
    }
    await engine.checkpoints.restore('base', target);
    await engine.checkpoints.export('base', file);
    await engine.write(new WriteBatchBuilder().put(0, Buffer.from('on'), Buffer.from('1')).finish());
    await using restored = await Engine.open(target, small);
    expect(contentOf(restored)).toEqual(sorted(model));
  });

  it('are carried elsewhere in files: one whole, then only what has changed', async () => {
    const random = SeededRandom.fromEnvironment('checkpoint exports');
    await using engine = await open({ memtableBytes: 200_000 });
    const model: Model = new Map();
    const target = join(directory.path, 'copy');
    fill(engine, model, 0, 8_000, 'first');
    put(engine, model, 'large', 'x'.repeat(30_000));
    await engine.checkpoints.create({ name: '0' });
    const whole = await engine.checkpoints.export('0', join(directory.path, '0.export'));
    await applyCheckpointExport(target, whole.file);
    for (let round = 1; round <= 6; round++) {
      for (let i = 0; i < 5; i++)
        put(engine, model, `key:${String(random.below(9_000)).padStart(5, '0')}`, `${round}`);
      if (round === 3) fill(engine, model, 2_000, 3_000, 'many');
      await engine.checkpoints.create({ name: `${round}` });
      const file = join(directory.path, `${round}.export`);
      const base = `name:${round - 1}`;
      const exported = await engine.checkpoints.export(`name:${round}`, file, { base });
      if (round !== 3) expect(exported.bytes).toBeLessThan(whole.bytes / 2);
      const before = readFileSync(join(target, 'data'));
      await applyCheckpointExport(target, file);
      // Applied in part: the store is what it was.
      const torn = join(directory.path, `torn-${round}`);
      mkdirSync(torn);
      const mixed = readFileSync(join(target, 'data'));
      before.copy(mixed, 0, 0, 8192);
      writeFileSync(join(torn, 'data'), mixed);
      writeFileSync(join(torn, 'IDENTITY'), readFileSync(join(target, 'IDENTITY')));
      const partly = await Engine.open(torn, { isReadOnly: true });
      expect(partly.sequence).toBe(engine.checkpoints.show(base).sequence);
      await partly.check();
      await partly.close();

      const copy = await Engine.open(target, { isReadOnly: true });
      expect(contentOf(copy)).toEqual(sorted(model));
      await copy.check();
      await copy.close();
    }
    for (const [file, code] of [
      ['0.export', 'CHECKPOINT_IN_USE'],
      ['3.export', 'CHECKPOINT_IN_USE'],
    ] as const)
      await expect(applyCheckpointExport(target, join(directory.path, file))).rejects.toMatchObject({ code });
    const bytes = readFileSync(whole.file);
    bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 1;
    const damaged = join(directory.path, 'damaged.export');
    for (const content of [bytes, bytes.subarray(0, 500), Buffer.from('x')]) {
      writeFileSync(damaged, content);
      const elsewhere = join(directory.path, 'elsewhere');
      await expect(applyCheckpointExport(elsewhere, damaged)).rejects.toMatchObject({
        code: 'STORE_CORRUPT',
      });
      expect(existsSync(elsewhere)).toBe(false);
    }
    await using live = await Engine.open(target, small);
    expect(contentOf(live)).toEqual(sorted(model));
    await live.write(new WriteBatchBuilder().put(0, Buffer.from('own'), Buffer.from('1')).finish());
    await live.flush();
    await live.check();
  });

  it('cost only what has changed since, and give it back when they are deleted', async () => {
    await using engine = await open({ memtableBytes: 200_000 });
    const model: Model = new Map();
    fill(engine, model, 0, 20_000, 'first');
    await engine.checkpoints.create({ name: 'one' });
    await engine.flush();
    const before = engine.stats();
    expect(engine.checkpoints.show('one').uniqueBytes).toBeLessThan(before.dataBytes / 20);
    const reader = engine.checkpoints.open('one');
    for (let round = 0; round < 5; round++) {
      fill(engine, model, 0, 20_000, `round ${round}`);
      await engine.flush();
    }
    const { bytes, uniqueBytes } = engine.checkpoints.show('one');
    expect(uniqueBytes).toBeGreaterThan((bytes ?? 0) * 0.9);
    await engine.checkpoints.delete('one');
    expect(engine.stats().retainedBytes).toBeGreaterThan((bytes ?? 0) * 0.9);
    expect(reader.get(0, Buffer.from('key:00007'))?.toString()).toBe('first:7');
    reader.close();
    await waitUntil('its pages are free', () => engine.stats().retainedBytes < 100_000);
    await engine.check();
  });

  it('are made by a policy, which keeps the newest of its own', async () => {
    await using engine = await open({
      checkpointPolicy: { name: 'often', everyChanges: 100, everyMs: 50, keep: 2 },
    });
    const model: Model = new Map();
    await engine.checkpoints.create({ name: 'mine' });
    let lastMade = 0;
    for (let round = 0; round < 4; round++) {
      fill(engine, model, 0, 150, `${round}`);
      const before = lastMade;
      await waitUntil(
        'a checkpoint is made',
        () => (engine.checkpoints.list({ name: 'often' })[0]?.sequence ?? 0) > before,
      );
      lastMade = engine.checkpoints.list({ name: 'often' })[0]?.sequence ?? 0;
    }
    await waitUntil('the oldest is deleted', () => engine.checkpoints.list({ name: 'often' }).length === 2);
    expect(engine.checkpoints.list({ name: 'mine' }).length).toBe(1);
  });

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
});
