import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Engine, type EngineOptions } from '../../src/engine/index.js';
import { WriteBatchBuilder } from '../../src/write-batch/index.js';
import { throwAwayDirectory } from '../services/index.js';

let directory: ReturnType<typeof throwAwayDirectory>;
beforeEach(() => {
  directory = throwAwayDirectory('open-store');
});
afterEach(() => directory.remove());

const open = (options: EngineOptions = {}): Promise<Engine> => Engine.open(directory.path, options);
const put = (key: string, value: string | Buffer): Buffer =>
  new WriteBatchBuilder().put(0, Buffer.from(key), Buffer.from(value)).finish();

describe('a store', () => {
  it('is held by one process, opened by readers beside it, and says when it is closed', async () => {
    const engine = await open();
    await engine.write(put('a', '1'));
    await expect(open()).rejects.toMatchObject({
      code: 'STORE_LOCKED',
      message: expect.stringContaining(`process ${process.pid}`),
    });
    {
      await using reader = await open({ isReadOnly: true });
      expect(reader.get(0, Buffer.from('a'))?.toString()).toBe('1');
      expect(() => reader.commit(put('b', '2'))).toThrow(
        expect.objectContaining({ code: 'STORE_READ_ONLY' }),
      );
    }
    const snapshot = engine.snapshot();
    await engine.close();
    await engine.close();
    for (const use of [
      () => engine.get(0, Buffer.from('a')),
      () => engine.commit(put('a', '2')),
      () => engine.snapshot(),
      () => engine.walIterator(0),
      () => snapshot.get(0, Buffer.from('a')),
    ])
      expect(use).toThrow(expect.objectContaining({ code: 'STORE_CLOSED' }));
    expect(existsSync(join(directory.path, 'LOCK'))).toBe(false);
  });

  it('refuses a store of a newer format, and a directory that it may not use', async () => {
    await (await open()).close();
    const path = join(directory.path, 'IDENTITY');
    const identity = JSON.parse(readFileSync(path, 'utf8')) as object;
    writeFileSync(path, JSON.stringify({ ...identity, format: 99 }));
    await expect(open()).rejects.toMatchObject({
      code: 'STORE_FORMAT_UNKNOWN',
      message: expect.stringContaining('format 99'),
    });
    writeFileSync(path, 'not json');
    await expect(open()).rejects.toMatchObject({ code: 'STORE_CORRUPT' });
    writeFileSync(path, JSON.stringify({ ...identity, id: 'another' }));
    await expect(open()).rejects.toMatchObject({ message: `${path}: its checksum is wrong` });
    writeFileSync(path, JSON.stringify({ ...identity, checksum: undefined })); // as older versions wrote it
    await (await open()).close();
    writeFileSync(join(directory.path, 'file'), '');
    await expect(Engine.open(join(directory.path, 'file', 'x'))).rejects.toMatchObject({
      code: 'FILE_INACCESSIBLE',
    });
    await expect(Engine.open(join(directory.path, 'nowhere'), { isReadOnly: true })).rejects.toMatchObject({
      code: 'STORE_CORRUPT',
    });
  });

  it('touches nothing in a directory that is another program’s, or was copied in part', async () => {
    const contentOf = (): Map<string, string> =>
      new Map(
        readdirSync(directory.path).map((name) => [
          name,
          `${readFileSync(join(directory.path, name), 'latin1')}`,
        ]),
      );
    const expectUntouched = async (reason: RegExp): Promise<void> => {
      const before = contentOf();
      for (const isReadOnly of [false, true])
        await expect(open({ isReadOnly })).rejects.toMatchObject({
          code: 'STORE_CORRUPT',
          message: expect.stringMatching(isReadOnly ? /IDENTITY/ : reason),
        });
      expect(contentOf()).toEqual(before);
    };
    mkdirSync(directory.path, { recursive: true });
    const place = (name: string, content: string): void => writeFileSync(join(directory.path, name), content);
    place('CURRENT', 'MANIFEST-000005');
    place('LOCK', '');
    place('IDENTITY', '4f0d4a5c-7d55-4a94-8f0e-1f9a3d2f8f11');
    await expectUntouched(/IDENTITY: it is no JSON/);
    rmSync(join(directory.path, 'IDENTITY'));
    await expectUntouched(
      /there is CURRENT: the directory was copied in part, or belongs to another program/,
    );
    rmSync(join(directory.path, 'CURRENT'));
    place('000001.log', 'x');
    await expectUntouched(/there is 000001.log/);
  });

  it('tells which of its files is a directory, however it is opened', async () => {
    for (const name of ['data', 'CHECKPOINTS', 'IDENTITY']) {
      rmSync(directory.path, { recursive: true, force: true });
      await using engine = await open();
      await engine.write(put('a', Buffer.from('1')));
      await engine.flush();
      await engine.close();
      rmSync(join(directory.path, name), { force: true });
      mkdirSync(join(directory.path, name));
      for (const isReadOnly of [false, true])
        await expect(open({ isReadOnly })).rejects.toMatchObject({
          code: 'FILE_INACCESSIBLE',
          message: expect.stringContaining(join(directory.path, name)),
          remedy: expect.stringContaining('move it away'),
        });
    }
  });

  it('can be read beside a writer that goes on, until the writer uses again what was read', async () => {
    const small = {
      memtableBytes: 40_000,
      pageCacheBytes: 300_000,
      segmentBytes: 100_000,
      sync: 'none',
    } as const;
    await using writer = await open(small);
    const keys = 1_000;
    let written = 0;
    /** Write n sets key n mod 1000 to n. */
    const write = (count: number): void => {
      for (const last = written + count; written < last; ) {
        const n = ++written;
        writer.commit(put(`k${n % keys}`, Buffer.from(`${n}`.padEnd(n % 100 === 0 ? 5_000 : 50))));
      }
    };
    write(5_000);
    await writer.flush();
    let hasChanged = 0;
    for (let round = 0; round < 15; round++) {
      const opening = open({ ...small, isReadOnly: true });
      write(300);
      await writer.whenDurable(writer.sequence);
      const reader = await opening;
      const { sequence } = reader;
      try {
        for (let turn = 0; turn < 6; turn++) {
          for (let n = sequence - keys + 1; n <= sequence; n++)
            expect(Number(reader.get(0, Buffer.from(`k${n % keys}`)))).toBe(n);
          write(500);
          await writer.flush();
        }
      } catch (error) {
        expect(error).toMatchObject({ code: 'STORE_CHANGED' });
        hasChanged++;
      }
      await reader.close();
    }
    expect(hasChanged).toBeGreaterThan(0);
  });

  it('refuses a log whose beginning is missing', async () => {
    const engine = await open({ segmentBytes: 500 });
    for (let i = 0; i < 10; i++) await engine.write(put(`k${i}`, Buffer.alloc(300)));
    await engine.close();
    rmSync(join(directory.path, '000001.log'));
    await expect(open()).rejects.toMatchObject({ code: 'WAL_GAP', context: { expected: 1 } });
  });
});
