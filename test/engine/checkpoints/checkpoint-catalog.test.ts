import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { CheckpointEntry } from '../../../src/engine/checkpoints/checkpoint.js';
import {
  CheckpointCatalog,
  type CheckpointList,
} from '../../../src/engine/checkpoints/checkpoint-catalog.js';
import { nodeFiles } from '../../../src/files/index.js';
import { throwAwayDirectory } from '../../services/index.js';
import { SeededRandom } from '../../support/seeded-random.js';
import { VolatileDisk } from '../../support/volatile-disk.js';

let directory: ReturnType<typeof throwAwayDirectory>;
beforeEach(() => {
  directory = throwAwayDirectory('catalog');
});
afterEach(() => directory.remove());

const checkpoints = (count: number): CheckpointList => ({
  logSequence: count,
  checkpoints: Array.from<unknown, CheckpointEntry>({ length: count }, (_, i) => ({
    id: `id-${i}`,
    name: `the ${i}th`,
    sequence: i,
    created: '2026-01-01T00:00:00.000Z',
    expires: null,
    lifetimeMs: null,
    generation: 1,
    holdsLog: false,
    labels: {},
    creator: 'api',
  })),
});
const path = (): string => join(directory.path, 'CHECKPOINTS');
const read = (): CheckpointList => new CheckpointCatalog(directory.path, nodeFiles).read();
const opened = async (): Promise<CheckpointCatalog> => {
  const catalog = new CheckpointCatalog(directory.path, nodeFiles);
  await catalog.open(catalog.read());
  return catalog;
};
const halvesOf = (bytes: Buffer): Buffer[] => [
  bytes.subarray(0, bytes.length / 2),
  bytes.subarray(bytes.length / 2),
];

describe('the list of checkpoints', () => {
  it('is what was written last, however often it is opened, grows and shrinks', async () => {
    for (const count of [0, 1, 3, 400, 2, 401, 5_000, 0, 7]) {
      const catalog = await opened();
      for (let i = 0; i < 3; i++) await catalog.write(checkpoints(count + i));
      await catalog.close();
      expect(read()).toEqual(checkpoints(count + 2));
    }
  });

  it('is the one before when the newest was written in part, whatever part', async () => {
    const first = await opened();
    await first.write(checkpoints(2));
    await first.close();
    for (const count of [3, 4]) {
      const before = readFileSync(path());
      const catalog = await opened(); // by whoever goes on, who must not write over the newest either
      await catalog.write(checkpoints(count));
      await catalog.close();
      const after = readFileSync(path());
      expect(after.length).toBe(before.length);
      const changed = halvesOf(before).findIndex((half, i) => !half.equals(halvesOf(after)[i]));
      const start = (changed * after.length) / 2;
      const lineEnd = after.indexOf('\n', start);
      for (let cut = start; cut < start + 2 * 4096; cut += 13) {
        writeFileSync(path(), Buffer.concat([after.subarray(0, cut), before.subarray(cut)]));
        const found = read();
        expect(found).toEqual(checkpoints(found.logSequence));
        if (cut <= lineEnd) expect(found.logSequence).toBe(count - 1);
        if (cut > lineEnd + 9) expect(found.logSequence).toBe(count);
      }
      writeFileSync(path(), after);
      expect(read()).toEqual(checkpoints(count));
    }
  });

  it('is the newest although any byte of it is damaged, and not the one before, which may name what was deleted', async () => {
    const catalog = await opened();
    for (const count of [3, 4]) await catalog.write(checkpoints(count));
    await catalog.close();
    const whole = readFileSync(path());
    const newest = halvesOf(whole).findIndex((half) => half.toString().includes('"logSequence":4'));
    const start = (newest * whole.length) / 2;
    for (let at = start; at < start + 2 * 4096; at += 5) {
      const damaged = Buffer.from(whole);
      damaged[at] ^= 1 << (at & 7);
      writeFileSync(path(), damaged);
      expect(read().logSequence).toBe(4);
    }
    for (const sector of [0, 1]) {
      writeFileSync(path(), Buffer.from(whole).fill(0, start + sector * 4096, start + (sector + 1) * 4096));
      expect(read()).toEqual(checkpoints(4));
      const again = await opened();
      await again.write(checkpoints(5)); // not over the only copy
      await again.close();
      const written = halvesOf(readFileSync(path()))[1 - newest];
      expect(written.toString()).toContain('"logSequence":5');
    }
  });

  it('is read as older versions stored it, once in each half', async () => {
    const catalog = await opened();
    for (const count of [3, 4]) await catalog.write(checkpoints(count));
    await catalog.close();
    const single = readFileSync(path());
    for (const half of halvesOf(single)) half.fill(' ', half.indexOf('}\n') + 12);
    writeFileSync(path(), single);
    expect(read()).toEqual(checkpoints(4));
    const again = await opened();
    await again.write(checkpoints(5));
    await again.close();
    expect(read()).toEqual(checkpoints(5));
  });

  it('is durable once it was opened, also when the one who wrote it was killed before that', async () => {
    const random = SeededRandom.fromEnvironment('catalog cuts');
    const killed = new VolatileDisk(join(directory.path, 'killed'), random);
    const catalog = new CheckpointCatalog(join(directory.path, 'killed'), killed.files);
    await catalog.open(checkpoints(1));
    const next = join(directory.path, 'next');
    mkdirSync(next);
    let operations = 0;
    let disk = killed;
    killed.onOperation = () => {
      if (++operations === 2) disk = killed.afterKill(next); // written, and not synced
    };
    await catalog.write(checkpoints(2));
    await catalog.close();

    const again = new CheckpointCatalog(next, disk.files);
    const found = again.read();
    expect(found).toEqual(checkpoints(2));
    await again.open(found);
    for (let cut = 0; cut < 12; cut++) {
      const left = join(directory.path, `cut-${cut}`);
      disk.cut(left);
      expect(new CheckpointCatalog(left, nodeFiles).read()).toEqual(found);
    }
    await again.close();
  });

  it('is refused when neither half is whole', async () => {
    const catalog = await opened();
    await catalog.write(checkpoints(2));
    await catalog.close();
    const damaged = readFileSync(path(), 'latin1').replaceAll('"format"', '"Format"');
    writeFileSync(path(), damaged, 'latin1');
    expect(read).toThrow(expect.objectContaining({ code: 'STORE_CORRUPT' }));
  });

  it('is refused when the file was cut, rather than an older one taken', async () => {
    const catalog = await opened();
    for (const count of [1, 2, 3]) await catalog.write(checkpoints(count));
    await catalog.close();
    const whole = readFileSync(path());
    for (const length of [0, 100, whole.length / 2, 70_000, whole.length - 1]) {
      writeFileSync(path(), whole.subarray(0, length));
      expect(read).toThrow(`CHECKPOINTS: the file has ${length} bytes: it was cut or copied in part`);
    }
  });
});
