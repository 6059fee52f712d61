import { afterEach, beforeEach, expect, it } from 'vitest';
import type * as engines from '../../src/engine/index.js';
import { WriteBatchBuilder } from '../../src/write-batch/index.js';
import { throwAwayDirectory } from '../services/index.js';
import { SeededRandom } from '../support/seeded-random.js';

/** STEPS=100000 is the long setting. */
const steps = Number(process.env['STEPS'] ?? 1_000);
const keys = 1_500;

let directory: ReturnType<typeof throwAwayDirectory>;
beforeEach(() => {
  directory = throwAwayDirectory('beside-a-model');
});
afterEach(() => directory.remove());

/** What a store should hold; a value is replaced, never changed. */
type Model = Map<string, Buffer>;

/** A snapshot, what it should show, and a walk through it that goes on now and then. */
interface Held {
  readonly snapshot: engines.Snapshot;
  readonly model: Model;
  readonly walk: Iterator<{ readonly key: Buffer; readonly value: Buffer }>;
  readonly left: [string, Buffer][];
}

const keyOf = (n: number): string => `k${String(n).padStart(6, '0')}${'x'.repeat(n % 30)}`;
const inOrder = (model: Model): [string, Buffer][] => [...model].sort(([a], [b]) => (a < b ? -1 : 1));

const requireNext = (walk: Held['walk'], expected: readonly [string, Buffer] | undefined): void => {
  const { done, value } = walk.next();
  const [key, bytes] = done === true ? [] : [value.key.toString(), value.value];
  // Comparing deeply what is nearly always equal would take most of the time.
  if (key !== expected?.[0] || !(bytes ?? empty).equals(expected?.[1] ?? empty))
    expect([key, bytes]).toEqual(expected ?? []);
};
const empty = Buffer.alloc(0);

const requireSame = (reader: engines.DataReader, model: Model): void => {
  const walk = reader.iterate({ columnFamily: 0 })[Symbol.iterator]();
  for (const entry of inOrder(model)) requireNext(walk, entry);
  requireNext(walk, undefined);
};

const randomValue = (random: SeededRandom): Buffer => {
  const dice = random.next();
  const size = dice < 0.6 ? 120 : dice < 0.9 ? 2_500 : dice < 0.98 ? 12_000 : 200_000;
  const value = Buffer.alloc(random.below(size));
  const first = random.below(256);
  for (let at = 0; at < value.length; at++) value[at] = first + at * 7 + (at >> 8);
  return value;
};

const randomBatch = (random: SeededRandom, model: Model): Buffer => {
  const batch = new WriteBatchBuilder();
  for (let left = 1 + random.below(30); left > 0; left--) {
    const key = keyOf(random.below(random.next() < 0.3 ? 40 : keys));
    const dice = random.next();
    if (dice < 0.002) {
      const from = random.below(keys);
      const to = from + random.below(60);
      batch.deleteRange(0, Buffer.from(keyOf(from)), Buffer.from(keyOf(to)));
      for (let n = from; n < to; n++) model.delete(keyOf(n));
    } else if (dice < 0.15) {
      batch.delete(0, Buffer.from(key));
      model.delete(key);
    } else {
      const value = randomValue(random);
      batch.put(0, Buffer.from(key), value);
      model.set(key, value);
    }
  }
  return batch.finish();
};

it('a store whose memtables are merged all the time, in its thread or beside it, shows what a model holds', async () => {
  const random = SeededRandom.fromEnvironment('a store beside a model');
  // A merge in a thread of its own needs code that Node can run.
  const compiled = new URL('../../dist/src/engine/index.js', import.meta.url);
  const { Engine } = (await import(compiled.href)) as typeof engines;
  const open = (): Promise<engines.Engine> =>
    Engine.open(directory.path, {
      sync: 'none',
      memtableBytes: random.pick([60_000, 300_000, 2_000_000]),
      pageCacheBytes: 400_000,
      segmentBytes: 500_000,
      threadFromBytes: random.pick([1, 1, 100_000, Number.POSITIVE_INFINITY]),
    });
  let engine = await open();
  const model: Model = new Map();
  let held: Held[] = [];
  const letGo = ({ snapshot }: Held): void => snapshot.close();

  for (let step = 0; step < steps; step++) {
    engine.commit(randomBatch(random, model));
    const key = keyOf(random.below(keys));
    expect(engine.get(0, Buffer.from(key))?.equals(model.get(key) ?? empty)).toBe(
      model.has(key) ? true : undefined,
    );
    if (held.length < 6 && random.next() < 0.02) {
      const snapshot = engine.snapshot();
      const walk = snapshot.iterate({ columnFamily: 0 })[Symbol.iterator]();
      held.push({ snapshot, model: new Map(model), walk, left: inOrder(model).reverse() });
    }
    for (const { walk, left } of held)
      if (random.next() < 0.2)
        for (let n = random.below(40); n > 0 && left.length > 0; n--) requireNext(walk, left.pop());
    if (held.length > 0 && random.next() < 0.02) {
      const [oldest] = held.splice(random.below(held.length), 1);
      requireSame(oldest.snapshot, oldest.model);
      letGo(oldest);
    }
    // A merge goes on in turns of the event loop.
    if (random.next() < 0.1) await new Promise((resolve) => setImmediate(resolve));
    if (random.next() < 0.005) await engine.flush();
    if (random.next() < 0.002) {
      held.forEach(letGo);
      held = [];
      await engine.close();
      engine = await open();
      requireSame(engine, model);
    }
  }
  held.forEach(letGo);
  await engine.flush();
  requireSame(engine, model);
  await engine.check();
  await engine.close();
});
