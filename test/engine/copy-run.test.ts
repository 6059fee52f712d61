import { describe, expect, it } from 'vitest';
import { type DataIterator, type DataReader, Engine, type RecordTarget } from '../../src/engine/index.js';
import { WriteBatchBuilder } from '../../src/write-batch/index.js';
import { throwAwayDirectory } from '../services/index.js';
import { SeededRandom } from '../support/seeded-random.js';

/** Writes down what it is given, up to so many records. */
class Collected implements RecordTarget {
  readonly records: [rest: string, value: string][] = [];
  readonly #most: number;

  constructor(most: number) {
    this.#most = most;
  }

  record(key: Buffer, keyStart: number, keyEnd: number, value: Buffer, start: number, end: number): boolean {
    const rest = key.toString('latin1', keyStart, keyEnd);
    this.records.push([rest, `${end - start}:${value.toString('latin1', start, Math.min(end, start + 20))}`]);
    return this.records.length < this.#most;
  }
}

/** So small a cache that most leaves are read past it. */
const options = { sync: 'none', memtableBytes: 1 << 20, pageCacheBytes: 1 } as const;

const prefixes = ['a', 'ab:', 'ab:1:', 'ab:1:field:', 'ab:2:', 'b:', 'none'];

/** The rest of many keys is longer than a page keeps; some values are. */
const randomKey = (random: SeededRandom): string => {
  const tail = random.below(40) === 0 ? 'long'.repeat(300) : '';
  return `${prefixes[random.below(prefixes.length - 1)]}${random.below(400)}${tail}`;
};

const writeSome = async (engine: Engine, random: SeededRandom): Promise<void> => {
  const batch = new WriteBatchBuilder();
  for (let left = 60; left > 0; left--) {
    const key = Buffer.from(randomKey(random));
    if (random.below(4) === 0) batch.delete(0, key);
    else batch.put(0, key, Buffer.alloc(random.below(30) === 0 ? 9_000 : random.below(60), `${left}`));
  }
  if (random.below(8) === 0) {
    const from = randomKey(random);
    batch.deleteRange(0, Buffer.from(from), Buffer.from(`${from}5`));
  }
  await engine.write(batch.finish());
};

/** Keys that begin alike, leaf after leaf; no other test key begins so. */
const writeMany = async (engine: Engine): Promise<void> => {
  const batch = new WriteBatchBuilder();
  for (let at = 0; at < 8_000; at++)
    batch.put(0, Buffer.from(`many:${10_000 + at}`), Buffer.from(`of ${at}`));
  await engine.write(batch.finish());
};

/** From `begin` on, one item after the other. */
const walked = (reader: DataReader, begin: string, prefix: string, most: number): Collected => {
  const found = new Collected(most);
  for (const { key, value } of reader.iterate({ columnFamily: 0, begin: Buffer.from(begin) })) {
    if (!key.toString('latin1').startsWith(prefix)) break;
    if (!found.record(key, prefix.length, key.length, value, 0, value.length)) break;
  }
  return found;
};

const keyWhere = (iterator: DataIterator): string | undefined =>
  iterator.valid ? iterator.item.key.toString('latin1') : undefined;

describe('a run of keys that begin alike', () => {
  it('is copied as it is walked over, whatever layers it lies in, and the iterator stands behind it', async () => {
    const random = SeededRandom.fromEnvironment('copy-run');
    const directory = throwAwayDirectory('copy-run');
    const engine = await Engine.open(directory.path, options);
    await writeMany(engine);
    let copied = 0;
    for (let round = 0; round < 40; round++) {
      await writeSome(engine, random);
      const snapshot = engine.snapshot();
      await writeSome(engine, random);
      if (random.below(3) === 0) await engine.flush();
      for (const reader of [engine, snapshot])
        for (const prefix of [...prefixes, 'many:', `many:1${random.below(8)}`]) {
          const begin = random.below(2) === 0 ? prefix : `${prefix}${random.below(400)}`;
          const most = random.below(3) === 0 ? 1 + random.below(20) : Number.POSITIVE_INFINITY;
          const expected = walked(reader, begin, prefix, most);
          const iterator = reader.iterate({ columnFamily: 0, begin: Buffer.from(begin) });
          const found = new Collected(most);
          iterator.copyRun?.(Buffer.from(prefix), found);
          expect(found.records, prefix).toEqual(expected.records);
          const last = expected.records.at(-1);
          const behind = reader.iterate({
            columnFamily: 0,
            begin: Buffer.from(last === undefined ? begin : `${prefix}${last[0]}\0`),
          });
          expect(keyWhere(iterator)).toBe(keyWhere(behind));
          copied += found.records.length;
        }
      snapshot.close();
    }
    expect(copied).toBeGreaterThan(1_000);
    await engine.close();
    directory.remove();
  });

  it('is copied as it is where whole leaves begin with more than what is asked for', async () => {
    const directory = throwAwayDirectory('copy-run-leaves');
    const writer = await Engine.open(directory.path, { sync: 'none' });
    const batch = new WriteBatchBuilder();
    for (let at = 0; at < 20_000; at++)
      batch.put(0, Buffer.from(`x:${1_000_000 + at}`), Buffer.from(`of ${at}`));
    await writer.write(batch.finish());
    await writer.flush();
    await writer.close();
    // Its leaves are in no cache: they are read past it, many at once.
    const engine = await Engine.open(directory.path);
    const found = new Collected(Number.POSITIVE_INFINITY);
    engine.iterate({ columnFamily: 0 }).copyRun?.(Buffer.from('x:'), found);
    const expected = Array.from({ length: 20_000 }, (_, at) => [
      `${1_000_000 + at}`,
      `${`of ${at}`.length}:of ${at}`,
    ]);
    expect(found.records).toEqual(expected);
    await engine.close();
    directory.remove();
  });
});
