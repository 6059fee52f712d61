import { statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { Engine } from '../../../src/engine/index.js';
import { WriteBatchBuilder } from '../../../src/write-batch/index.js';
import { throwAwayDirectory } from '../../services/index.js';
import { waitUntil } from '../../support/wait-until.js';

const directory = throwAwayDirectory('trim');
afterAll(() => directory.remove());

const keyOf = (i: number): Buffer => Buffer.from(`key ${String(i).padStart(6, '0')}`);

/** Writes or deletes keys and makes the result durable in the data file. */
const change = async (engine: Engine, from: number, to: number, value?: Buffer): Promise<void> => {
  const batch = new WriteBatchBuilder();
  for (let i = from; i < to; i++) {
    if (value === undefined) batch.delete(0, keyOf(i));
    else batch.put(0, keyOf(i), value);
  }
  await engine.write(batch.finish());
  await engine.flush();
};

const fileBytes = (engine: Engine): number => statSync(join(engine.directory, 'data')).size;

describe('the data file', () => {
  it('is cut where its end is free, and a checkpoint keeps what it needs of it', async () => {
    const path = join(directory.path, 'store');
    {
      await using engine = await Engine.open(path, { sync: 'none' });
      await change(engine, 0, 20_000, Buffer.alloc(1_000, 'v'));
      const full = fileBytes(engine);
      expect(full).toBeGreaterThan(20_000_000);
      const { id } = await engine.checkpoints.create({ name: 'full' });
      await change(engine, 100, 20_000);
      for (let i = 0; i < 4; i++) await change(engine, 0, 1, Buffer.from(`turn ${i}`));
      expect(fileBytes(engine)).toBeGreaterThan(full / 2);
      const snapshot = engine.checkpoints.open(id);
      expect(snapshot.get(0, keyOf(19_999))).toEqual(Buffer.alloc(1_000, 'v'));
      snapshot.close();
      await engine.checkpoints.delete(id);
      await waitUntil('what it held is free', () => engine.stats().retainedBytes === 0);
      // What is written anew goes to the front, and the end is given back by the states that follow.
      for (let i = 0; i < 6; i++) await change(engine, 0, 100, Buffer.alloc(1_000, 'v'));
      expect(fileBytes(engine)).toBeLessThan(full / 4);
      expect(fileBytes(engine)).toBe(engine.stats().dataBytes);
      await engine.check();
    }
    await using again = await Engine.open(path, { sync: 'none' });
    await again.check();
    expect(again.get(0, keyOf(50))).toEqual(Buffer.alloc(1_000, 'v'));
    expect(again.get(0, keyOf(500))).toBeUndefined();
    await change(again, 0, 20_000, Buffer.alloc(1_000, 'w'));
    await again.check();
    expect(again.get(0, keyOf(19_999))).toEqual(Buffer.alloc(1_000, 'w'));
  });
});
