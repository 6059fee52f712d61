import { expect, it } from 'vitest';
import { nowhere } from '../../src/bytes/index.js';
import { Engine } from '../../src/engine/index.js';
import { WriteBatchBuilder } from '../../src/write-batch/index.js';
import { throwAwayDirectory } from '../services/index.js';

const items = 5_000;
const keyOf = (at: number): string => `key:${String(at).padStart(6, '0')}`;
const textOf = (at: number): string => `${at}`.padEnd(40 + (at % 50), '.');

it('items that were kept of a walk stay what they are, though the walk uses the memory between them again', async () => {
  const directory = throwAwayDirectory('walk-memory');
  const engine = await Engine.open(directory.path, { sync: 'none' });
  const batch = new WriteBatchBuilder();
  for (let at = 0; at < items; at++) batch.put(0, Buffer.from(keyOf(at)), Buffer.from(textOf(at)));
  await engine.write(batch.finish());
  await engine.flush();
  // Most items are only located: of the leaves between two that are kept no view is given out.
  for (const step of [1, 7, 333, 1_700]) {
    const kept: { readonly at: number; readonly value: Buffer }[] = [];
    const place = nowhere();
    const iterator = engine.iterate({ columnFamily: 0 });
    for (let at = 0; iterator.valid; iterator.next(), at++) {
      if (at % step === 0) kept.push({ at, value: iterator.item.value });
      iterator.locate(place);
      expect(place.valueBytes.toString('latin1', place.valueStart, place.valueEnd)).toBe(textOf(at));
    }
    expect(kept).toHaveLength(Math.ceil(items / step));
    for (const { at, value } of kept) expect(value.toString('latin1')).toBe(textOf(at));
  }
  await engine.close();
  directory.remove();
});
