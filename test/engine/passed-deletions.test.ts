import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type DataIterator, type DataReader, Engine } from '../../src/engine/index.js';
import { WriteBatchBuilder } from '../../src/write-batch/index.js';
import { throwAwayDirectory } from '../services/index.js';
import { SeededRandom } from '../support/seeded-random.js';

/** STEPS=300000 is the long setting. */
const steps = Number(process.env['STEPS'] ?? 6_000);
const keys = 400;

let directory: ReturnType<typeof throwAwayDirectory>;
beforeEach(() => {
  directory = throwAwayDirectory('passed-deletions');
});
afterEach(() => directory.remove());

type Model = Map<string, string>;

const keyOf = (n: number): string => `k${String(n).padStart(6, '0')}`;
const put = (n: number, value: string): Buffer =>
  new WriteBatchBuilder().put(0, Buffer.from(keyOf(n)), Buffer.from(value)).finish();
const remove = (n: number): Buffer => new WriteBatchBuilder().delete(0, Buffer.from(keyOf(n))).finish();

const readAll = (iterator: DataIterator): string[] => {
  const found: string[] = [];
  for (const { key, value } of iterator) found.push(`${key}=${value}`);
  return found;
};

const copyAll = (reader: DataReader, prefix: string): string[] => {
  const found: string[] = [];
  const iterator = reader.iterate({ columnFamily: 0, begin: Buffer.from(prefix) });
  iterator.copyRun?.(Buffer.from(prefix), {
    record: (key, from, to, value, start, end) => {
      found.push(`${prefix}${key.toString('latin1', from, to)}=${value.toString('latin1', start, end)}`);
      return true;
    },
  });
  iterator.close();
  return found;
};

/** Comparing deeply what is nearly always equal would take most of the time. */
const requireSame = (found: readonly string[], expected: readonly string[]): void => {
  if (found.join() !== expected.join()) expect(found).toEqual(expected);
};

const expectedIn = (model: Model, from: string, to: string): string[] =>
  [...model]
    .filter(([key]) => key >= from && key < to)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `${key}=${value}`);

describe('deletions that walks step over', () => {
  it('are gone once somebody has walked over them: a queue does not slow down, nor grow', async () => {
    await using engine = await Engine.open(directory.path, { sync: 'none' });
    engine.commit(put(0, 'below'));
    await engine.flush();
    const before = engine.stats().memoryBytes.memtable;
    for (let n = 1; n <= 30_000; n++) {
      engine.commit(put(n, 'x'.repeat(100)));
      const iterator = engine.iterate({ columnFamily: 0, begin: Buffer.from(keyOf(1)) });
      expect(iterator.item.key.toString()).toBe(keyOf(n));
      iterator.close();
      engine.commit(remove(n));
    }
    expect(engine.stats().memoryBytes.memtable - before).toBeLessThan(300_000);
    expect(readAll(engine.iterate({ columnFamily: 0 }))).toEqual([`${keyOf(0)}=below`]);
  });

  it('go unseen by every reader, and those that hide something stay, whatever lies below', async () => {
    const random = SeededRandom.fromEnvironment('deletions that walks step over');
    const snapshotShare = random.pick([0.02, 0.002, 0.0002]);
    const open = (): Promise<Engine> =>
      Engine.open(directory.path, { sync: 'none', memtableBytes: random.pick([2_000, 20_000, 1_000_000]) });
    let engine = await open();
    const model: Model = new Map();
    const held: {
      snapshot: ReturnType<Engine['snapshot']>;
      model: Model;
      walk: DataIterator;
      left: string[];
    }[] = [];
    const requireNext = ({ walk, left }: (typeof held)[number]): void => {
      const { item } = walk.valid ? walk : { item: undefined };
      expect(item === undefined ? undefined : `${item.key}=${item.value}`).toBe(left.shift());
      walk.next();
    };
    for (let step = 0; step < steps; step++) {
      const n = random.below(keys);
      const dice = random.next();
      if (dice < 0.4) {
        engine.commit(put(n, `${step}`));
        model.set(keyOf(n), `${step}`);
      } else if (dice < 0.9) {
        const end = n + random.below(random.next() < 0.1 ? 200 : 12);
        for (let i = n; i < end; i++) {
          engine.commit(remove(i));
          model.delete(keyOf(i));
        }
      } else if (dice < 0.91) {
        const [from, to] = [keyOf(n), keyOf(n + random.below(40))];
        engine.commit(new WriteBatchBuilder().deleteRange(0, Buffer.from(from), Buffer.from(to)).finish());
        for (const [key] of model) if (key >= from && key < to) model.delete(key);
      }
      if (random.next() < 0.3) {
        const [from, to] = [keyOf(n), keyOf(n + random.below(keys))];
        const isReverse = random.next() < 0.5;
        const range = { columnFamily: 0, begin: Buffer.from(from), end: Buffer.from(to), isReverse };
        const expected = expectedIn(model, from, to);
        if (isReverse) expected.reverse();
        const walk = engine.iterate(range);
        const first = expected.slice(0, random.below(3));
        for (const item of first) {
          expect(`${walk.item.key}=${walk.item.value}`).toBe(item);
          walk.next();
        }
        requireSame(readAll(engine.iterate(range)), expected);
        requireSame(readAll(walk), expected.slice(first.length));
      }
      if (random.next() < 0.1) {
        const prefix = keyOf(n).slice(0, 6);
        requireSame(copyAll(engine, prefix), expectedIn(model, prefix, `${prefix}~`));
      }
      if (random.next() < snapshotShare && held.length < 4) {
        const snapshot = engine.snapshot();
        const walk = snapshot.iterate({ columnFamily: 0 });
        held.push({ snapshot, model: new Map(model), walk, left: expectedIn(model, '', '~') });
      }
      for (const each of held) if (random.next() < 0.2) requireNext(each);
      if (random.next() < 0.02 && held.length > 0) {
        const [oldest] = held.splice(random.below(held.length), 1);
        expect(readAll(oldest.snapshot.iterate({ columnFamily: 0 }))).toEqual(
          expectedIn(oldest.model, '', '~'),
        );
        while (oldest.left.length > 0) requireNext(oldest);
        oldest.walk.close();
        oldest.snapshot.close();
      }
      if (random.next() < 0.02) await new Promise((resolve) => setImmediate(resolve)); // what snapshots let go is dropped
      if (random.next() < 0.005) await engine.flush();
      if (random.next() < 0.001 && held.length === 0) {
        await engine.close();
        engine = await open();
      }
    }
    for (const { walk, snapshot } of held) {
      walk.close();
      snapshot.close();
    }
    expect(readAll(engine.iterate({ columnFamily: 0 }))).toEqual(expectedIn(model, '', '~'));
    await engine.flush();
    await engine.check();
    expect(engine.stats().keys['default']).toBe(model.size);
    await engine.close();
  });

  it('lead no walk astray that is under way when they go', async () => {
    await using engine = await Engine.open(directory.path, { sync: 'none' });
    for (let n = 0; n < 100; n++) engine.commit(put(n, `${n}`));
    const older = engine.snapshot();
    const range = { begin: Buffer.from(keyOf(0)), end: Buffer.from(keyOf(50)) };
    engine.commit(new WriteBatchBuilder().deleteRange(0, range.begin, range.end).finish());
    const walk = engine.iterate({ columnFamily: 0 });
    for (let n = 50; n < 60; n++, walk.next()) expect(walk.item.key.toString()).toBe(keyOf(n));
    older.close();
    await new Promise((resolve) => setTimeout(resolve, 20));
    for (let n = 60; n < 100; n++, walk.next()) expect(walk.item.key.toString()).toBe(keyOf(n));
    expect(walk.valid).toBe(false);
    walk.close();
  });
});
