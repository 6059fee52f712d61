import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { applyCheckpointExport, Engine } from '../../../src/engine/index.js';
import { type Files, nodeFiles } from '../../../src/files/index.js';
import { WriteBatchBuilder } from '../../../src/write-batch/index.js';
import { SeededRandom } from '../../support/seeded-random.js';
import { VolatileDisk } from '../../support/volatile-disk.js';
import { waitUntil } from '../../support/wait-until.js';
import { contentOf, fill, type Model, put, small, sorted, useStoreDirectory } from './checkpoint-setup.js';

const directory = useStoreDirectory();
const { open, store } = directory;

describe('checkpoints that are taken elsewhere', () => {
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
    for (const key of ['l', 'm']) put(engine, model, key, key.repeat(400_000)); // more than is gathered for a write, each
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

  it('are copied, and a flush ends, while so much is written that there is always more to flush', async () => {
    await using engine = await open();
    const value = Buffer.alloc(200, 'v');
    let isDone = false;
    const writeOn = async (): Promise<void> => {
      for (let written = 0; !isDone; written++) {
        engine.commit(new WriteBatchBuilder().put(0, Buffer.from(`${written % 9_000}`), value).finish());
        if (written % 50 === 0) await engine.whenDurable(engine.sequence);
        // Many memtables are more to flush, however slow the disk is, and enough.
        while (!isDone && engine.stats().memoryBytes.memtable > 100 * small.memtableBytes)
          await new Promise((resolve) => setImmediate(resolve));
      }
    };
    // Were any of these to wait until nothing more is written, this would not end.
    const writing = writeOn();
    await engine.checkpoints.create({ name: 'base' });
    await engine.flush();
    await engine.checkpoints.create({ name: 'next' });
    await engine.checkpoints.restore('next', join(directory.path, 'restored'));
    await engine.checkpoints.export('base', join(directory.path, 'base.export'));
    isDone = true;
    await writing;
  });

  it('are given up as copies when the store is closed meanwhile, and nothing of them is left', async () => {
    let release = (): void => {};
    const released = new Promise<void>((resolve) => {
      release = resolve;
    });
    const copies = new Set<number>();
    const files: Files = {
      ...nodeFiles,
      open: async (path, flags) => {
        const fd = await nodeFiles.open(path, flags);
        if (flags === 'wx') copies.add(fd);
        return fd;
      },
      write: async (fd, bytes, position) => {
        if (copies.has(fd)) await released;
        await nodeFiles.write(fd, bytes, position);
      },
    };
    const engine = await open({ files });
    put(engine, new Map(), 'large', 'x'.repeat(8_000_000)); // more than is written at once
    await engine.checkpoints.create({ name: 'base' });
    await engine.flush();
    const target = join(directory.path, 'restored');
    const file = join(directory.path, 'base.export');
    const copied = Promise.allSettled([
      engine.checkpoints.restore('base', target),
      engine.checkpoints.export('base', file),
    ]);
    await waitUntil('both are under way', () => copies.size === 2);
    let isClosed = false;
    const closing = engine.close().then(() => {
      isClosed = true;
    });
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(isClosed).toBe(false);
    release();
    const closed = { status: 'rejected', reason: expect.objectContaining({ code: 'STORE_CLOSED' }) };
    expect(await copied).toEqual([closed, closed]);
    await closing;
    expect(readdirSync(target)).toEqual([]);
    expect(existsSync(file)).toBe(false);
  });

  it('are applied to a directory in which that was begun before, but to none that holds anything else', async () => {
    await using engine = await open();
    const model: Model = new Map();
    fill(engine, model, 0, 500, 'x');
    await engine.checkpoints.create({ name: 'base' });
    const { file } = await engine.checkpoints.export('base', join(directory.path, 'export'));
    const begun = join(directory.path, 'begun');
    mkdirSync(begun);
    // As a process leaves it that is killed before its last step.
    for (const name of ['LOCK', 'data', 'IDENTITY.tmp']) writeFileSync(join(begun, name), '{');
    await applyCheckpointExport(begun, file);
    await using copy = await Engine.open(begun, { isReadOnly: true });
    expect(contentOf(copy)).toEqual(sorted(model));
    const other = join(directory.path, 'other');
    mkdirSync(other);
    writeFileSync(join(other, 'notes.txt'), '');
    await expect(applyCheckpointExport(other, file)).rejects.toMatchObject({ code: 'CHECKPOINT_IN_USE' });
    expect(readdirSync(other)).toEqual(['notes.txt']);
  });

  it('are not applied to a copy of another store, however alike the two are', async () => {
    const files: string[] = [];
    for (const name of ['one', 'other']) {
      await using engine = await Engine.open(join(directory.path, name), small);
      const model: Model = new Map();
      fill(engine, model, 0, 200, name.slice(0, 3));
      await engine.checkpoints.create({ name: 'base' });
      await engine.flush();
      fill(engine, model, 0, 1, name.slice(0, 3));
      await engine.checkpoints.create({ name: 'next' });
      await engine.checkpoints.restore('base', join(directory.path, `${name}-copy`));
      const file = join(directory.path, `${name}.export`);
      await engine.checkpoints.export('next', file, { base: 'base' });
      files.push(file);
    }
    const copy = join(directory.path, 'one-copy');
    await expect(applyCheckpointExport(copy, files[1] ?? '')).rejects.toThrow(/another store/);
    await applyCheckpointExport(copy, files[0] ?? '');
  });

  it('are in the exported file after a power cut, once the export is done', async () => {
    const disk = new VolatileDisk(store(), SeededRandom.fromEnvironment('power cuts after an export'));
    await using engine = await open({ files: disk.files });
    const model: Model = new Map();
    fill(engine, model, 0, 100, 'x');
    await engine.checkpoints.create({ name: 'base' });
    const { file } = await engine.checkpoints.export('base', join(directory.path, 'export'));
    for (let cut = 0; cut < 10; cut++) {
      const left = join(directory.path, `cut-${cut}`);
      disk.cut(left);
      expect(readFileSync(join(left, 'export')).equals(readFileSync(file))).toBe(true);
    }
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
    const damaged = join(directory.path, 'damaged.export');
    const elsewhere = join(directory.path, 'elsewhere');
    const behindHeader = 12 + bytes.readUInt32LE(8);
    const flipped = [
      ...Array(behindHeader + 12).keys(),
      ...Array.from({ length: 100 }, () => random.below(bytes.length)),
    ];
    for (const content of [
      ...flipped.map((at) => Buffer.from(bytes).fill((bytes[at] ?? 0) ^ (1 << random.below(8)), at, at + 1)),
      ...[0, 12, 500, bytes.length - 1].map((length) => bytes.subarray(0, length)),
      Buffer.concat([bytes, Buffer.alloc(12)]),
    ]) {
      writeFileSync(damaged, content);
      await expect(applyCheckpointExport(elsewhere, damaged)).rejects.toMatchObject({
        code: 'STORE_CORRUPT',
      });
      expect(existsSync(elsewhere)).toBe(false);
    }
    await expect(applyCheckpointExport(elsewhere, directory.path)).rejects.toMatchObject({
      code: 'FILE_INACCESSIBLE',
    });
    await using live = await Engine.open(target, small);
    expect(contentOf(live)).toEqual(sorted(model));
    await live.write(new WriteBatchBuilder().put(0, Buffer.from('own'), Buffer.from('1')).finish());
    await live.flush();
    await live.check();
  });
});
