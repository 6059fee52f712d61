import {
  appendFileSync,
  copyFileSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { summariseLog } from '../../../src/engine/index.js';
import { isTailraceError } from '../../../src/errors/index.js';
import { SeededRandom } from '../../support/seeded-random.js';
import { appendAll, batchFor, useLog } from './use-log.js';

const log = useLog();

describe('a log that is opened again', () => {
  it('cuts a torn tail at every place where a write may have stopped', async () => {
    const wal = await log.open();
    const written = await appendAll(wal, [50, 60, 40_000, 70, 300]);
    await wal.close();
    const whole = readFileSync(log.newest());
    const name = log.newest();
    const random = SeededRandom.fromEnvironment('torn tails');
    for (let round = 0; round < 120; round++) {
      const cutAt = random.below(whole.length);
      const junk = random.pick([
        Buffer.alloc(0),
        Buffer.alloc(random.below(200)),
        Buffer.alloc(random.below(200), 0xff),
        random.bytes(random.below(100)),
      ]);
      log.empty();
      writeFileSync(name, Buffer.concat([whole.subarray(0, cutAt), junk]));
      const { batches, wal: reopened } = await log.recovered();
      expect(batches.every((batch, i) => batch.equals(written[i]))).toBe(true);
      const sequence = reopened.nextSequence;
      expect(sequence).toBe(batches.length + 1);
      const [more] = await appendAll(reopened, [10]);
      await reopened.close();
      const again = await log.recovered();
      expect(again.batches.at(-1)).toEqual(more);
      await again.wal.close();
    }
  });

  it('cuts zeros behind the last record, as a crash leaves them, but none that are inside the log', async () => {
    const wal = await log.open();
    const written = await appendAll(wal, [50, 60]);
    await wal.close();
    const name = log.newest();
    const whole = readFileSync(name);
    for (const zeros of [1, 7, 100, 40_000, 400_000]) {
      log.empty();
      writeFileSync(name, Buffer.concat([whole, Buffer.alloc(zeros)]));
      const { batches, wal: reopened } = await log.recovered();
      expect([batches, reopened.recovery.cut?.bytes]).toEqual([written, zeros]);
      await reopened.close();
      const again = await log.recovered();
      expect([again.batches, again.wal.recovery.cut]).toEqual([written, undefined]);
      await again.wal.close();
      log.empty();
      writeFileSync(name, Buffer.concat([whole, Buffer.alloc(zeros), whole]));
      await expect(log.open()).rejects.toMatchObject({
        code: 'WAL_CORRUPT',
        context: { offset: whole.length },
      });
    }
  });

  it('refuses damage that has intact records behind it, with file and offset', async () => {
    const wal = await log.open();
    await appendAll(
      wal,
      Array.from({ length: 40 }, () => 200),
    );
    await wal.close();
    rmSync(join(log.path, 'SEALS')); // as after a crash: the newest segment is not sealed
    const path = log.newest();
    const bytes = readFileSync(path);
    bytes[500] = bytes[500] ^ 0x10;
    writeFileSync(path, bytes);
    await expect(log.recovered()).rejects.toMatchObject({ code: 'WAL_CORRUPT', context: { file: path } });
  });

  it('is not called whole, by those who only look into it, where a finished segment was cut, went or has no seal that can be read', async () => {
    const wal = await log.open();
    await appendAll(wal, [100, 200, 300]);
    await wal.close();
    const looked = (): number[] => [...summariseLog(log.path)].map(({ batches }) => batches);
    const refused = (reason: string): void =>
      expect(looked).toThrow(
        expect.objectContaining({ code: 'WAL_CORRUPT', message: expect.stringContaining(reason) }),
      );
    expect(looked()).toEqual([3]);
    const bytes = readFileSync(log.newest());
    const path = log.newest();
    truncateSync(path, bytes.length - 7);
    refused('the file ends inside a record');
    rmSync(path);
    refused(`${path} at offset 0: the sealed segment is missing`);
    writeFileSync(path, bytes);
    writeFileSync(join(log.path, 'SEALS'), 'garbage');
    refused('SEALS line 1 is damaged');
    rmSync(join(log.path, 'SEALS')); // as in the directory of a RocksDB, which seals nothing
    truncateSync(path, bytes.length - 7);
    expect(looked()).toEqual([2]);
  });

  it('detects every flipped bit of a log that was closed', async () => {
    const wal = await log.open();
    await appendAll(wal, [100, 100, 100]);
    await wal.close();
    const path = log.newest();
    const good = readFileSync(path);
    for (let bit = 0; bit < good.length * 8; bit++) {
      const bad = Buffer.from(good);
      bad[bit >>> 3] = bad[bit >>> 3] ^ (1 << (bit & 7));
      writeFileSync(path, bad);
      const error: unknown = await log.recovered().catch((caught: unknown) => caught);
      expect(isTailraceError(error)).toBe(true);
    }
  });

  it('detects a sealed segment that was cut, swapped or removed', async () => {
    const wal = await log.open({ segmentBytes: 2_000 });
    for (let i = 0; i < 5; i++) await appendAll(wal, [1500, 1000]);
    await wal.close();
    const [first, second, third] = log.files().map((name) => join(log.path, name)) as [
      string,
      string,
      string,
    ];
    const keep = readFileSync(second);
    truncateSync(second, keep.length - 20);
    await expect(log.recovered()).rejects.toMatchObject({ code: 'WAL_CORRUPT' });
    copyFileSync(third, second);
    await expect(log.recovered()).rejects.toThrow();
    rmSync(second);
    await expect(log.recovered()).rejects.toThrow();
    writeFileSync(second, keep);
    const { wal: reopened } = await log.recovered();
    await reopened.close();
    expect(readFileSync(first).length).toBeGreaterThan(0);
  });

  it('opens again when the last record ends where no header fits into its block', async () => {
    for (let missing = 0; missing <= 8; missing++) {
      log.empty();
      const wal = await log.open();
      const overhead = batchFor(wal, 32_700).length - 32_700 + 7;
      const [written] = await appendAll(wal, [32_768 - overhead - missing]);
      await wal.close();
      expect(readFileSync(log.newest()).length).toBe(32_768 - missing);
      const { batches, wal: reopened } = await log.recovered();
      expect([batches.length, batches[0]?.equals(written)]).toEqual([1, true]);
      expect(reopened.recovery.cut).toBeUndefined();
      await reopened.close();
    }
  });

  it('seals the segment that was full when the process ended right after beginning the next one', async () => {
    const wal = await log.open();
    const [written] = await appendAll(wal, [100]);
    const path = log.newest();
    await wal.close();
    rmSync(join(log.path, 'SEALS'));
    const next = join(log.path, '000002.log');
    writeFileSync(next, '');
    const { batches, wal: reopened } = await log.recovered();
    await reopened.close();
    expect(batches).toEqual([written]);
    truncateSync(path, readFileSync(path).length - 1);
    await expect(log.open()).rejects.toMatchObject({ code: 'WAL_CORRUPT', context: { file: path } });
    rmSync(next);
    await expect(log.open()).rejects.toMatchObject({ code: 'WAL_CORRUPT' });
  });

  it('refuses a finished segment that ends elsewhere than it did, though every record in it is whole', async () => {
    const wal = await log.open();
    await appendAll(wal, [100, 100]);
    const boundary = statSync(log.newest()).size;
    await appendAll(wal, [100]);
    await wal.close();
    const path = log.newest();
    const whole = readFileSync(path);
    for (const bad of [whole.subarray(0, boundary), Buffer.concat([whole, Buffer.alloc(9)])]) {
      writeFileSync(path, bad);
      await expect(log.recovered()).rejects.toMatchObject({ code: 'WAL_CORRUPT', context: { file: path } });
    }
  });

  it('misses finished segments from its end, where no gap shows that they are gone', async () => {
    const wal = await log.open({ segmentBytes: 1_000 });
    for (let i = 0; i < 3; i++) await appendAll(wal, [1_000]);
    await wal.close();
    for (let left = 2; left >= 0; left--) {
      const path = log.newest();
      rmSync(path);
      await expect(log.recovered()).rejects.toMatchObject({
        code: 'WAL_CORRUPT',
        message: expect.stringContaining('the sealed segment is missing'),
      });
      expect(log.files()).toHaveLength(left);
    }
  });

  it('refuses a torn end of any segment but the newest: each was synced before the next one began', async () => {
    const wal = await log.open({ segmentBytes: 1_000 });
    for (let i = 0; i < 2; i++) await appendAll(wal, [1_000]);
    await wal.close();
    rmSync(join(log.path, 'SEALS'));
    const [path] = log.files().map((name) => join(log.path, name));
    appendFileSync(path, 'torn');
    await expect(log.recovered()).rejects.toMatchObject({ code: 'WAL_CORRUPT', context: { file: path } });
  });

  it('gives what is behind a flush alone, and looks no less at what it passes over', async () => {
    const wal = await log.open({ segmentBytes: 1_000 });
    const written = [];
    for (let i = 0; i < 4; i++) written.push(...(await appendAll(wal, [400, 400, 400])));
    await wal.close();
    for (let replayAfter = 0; replayAfter <= 12; replayAfter++) {
      const { batches, wal: reopened } = await log.recovered({ replayAfter });
      expect(batches).toEqual(written.slice(replayAfter));
      expect(reopened.nextSequence).toBe(13);
      await reopened.close();
    }
    const [, second, third] = log.files().map((name) => join(log.path, name));
    const { size } = statSync(second);
    truncateSync(second, size - 1);
    await expect(log.open({ replayAfter: 12 })).rejects.toMatchObject({ code: 'WAL_CORRUPT' });
    copyFileSync(third, second);
    expect(statSync(second).size).toBe(size);
    await expect(log.open({ replayAfter: 12 })).rejects.toMatchObject({ code: 'WAL_GAP' });
  });

  it('goes on behind the flush when nothing is left of it', async () => {
    await using wal = await log.open({ replayAfter: 7 });
    expect([wal.nextSequence, wal.durableSequence, wal.firstSequence]).toEqual([8, 7, 8]);
  });
});
