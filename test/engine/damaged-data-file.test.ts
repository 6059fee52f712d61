import { copyFileSync, openSync, readFileSync, truncateSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Engine, type EngineOptions } from '../../src/engine/index.js';
import { throwAwayDirectory } from '../services/index.js';
import { expectNumbersUpTo, numberedWrite } from './numbered-writes.js';

let directory: ReturnType<typeof throwAwayDirectory>;
beforeEach(() => {
  directory = throwAwayDirectory('damaged-data-file');
});
afterEach(() => directory.remove());

const small = { memtableBytes: 60_000, pageCacheBytes: 300_000, segmentBytes: 100_000 } as const;

describe('a store', () => {
  it('refuses to open with a data file that is cut, foreign, of a newer format or damaged, and says what and where', async () => {
    const fill = await Engine.open(directory.path, { ...small, sync: 'none' });
    for (let n = 1; n <= 3_000; n++) fill.commit(numberedWrite(n));
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
    for (let n = 1; n <= 3_000; n++) other.commit(numberedWrite(n));
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
