import { describe, expect, it } from 'vitest';
import { Engine } from '../../../src/engine/index.js';
import { hashKey } from '../../../src/engine/key-hash.js';
import { Memtable } from '../../../src/engine/memtable/memtable.js';
import { WriteBatchBuilder } from '../../../src/write-batch/index.js';
import { throwAwayDirectory } from '../../services/index.js';
import { SeededRandom } from '../../support/seeded-random.js';

/** STEPS=1000000 is the long setting. */
const steps = Number(process.env['STEPS'] ?? 30_000);
const keys = 400;

describe('older versions', () => {
  it.each([true, false])(
    'are those that snapshots see, while they are dropped some at a time beside writes (over older data: %s)',
    (hidesOlder) => {
      const random = SeededRandom.fromEnvironment('older versions');
      const open = new Map<number, number>();
      const table = new Memtable(open, hidesOlder);
      const model = new Map<string, string>();
      const seen = new Map<number, Map<string, string>>();
      let pruning: Generator<undefined, void> | undefined;
      let sequence = 0;
      const keyOf = (n: number): string => `key ${String(n).padStart(3, '0')}`;
      const requireSame = (at: number, then: ReadonlyMap<string, string>): void => {
        for (let n = 0; n < keys; n++) {
          const key = Buffer.from(keyOf(n));
          const found = table.find(key, hashKey(key, 0, key.length), at);
          const text = found === 'deleted' ? undefined : found?.toString();
          if (text !== then.get(keyOf(n))) expect([n, at, text]).toEqual([n, at, then.get(keyOf(n))]);
        }
      };
      for (let step = 0; step < steps; step++) {
        const n = random.below(keys);
        const key = Buffer.from(keyOf(n));
        const dice = random.next();
        sequence++;
        if (dice < 0.7) {
          const value = `${sequence}`.padEnd(random.below(60), '.');
          const bytes = Buffer.concat([key, Buffer.from(value)]);
          table.put(bytes, 0, key.length, key.length, bytes.length, sequence);
          model.set(keyOf(n), value);
        } else if (dice < 0.99) {
          table.delete(key, 0, key.length, sequence);
          model.delete(keyOf(n));
        } else {
          const to = dice < 0.991 ? keys : n + random.below(60);
          const from = dice < 0.991 ? 0 : n;
          table.deleteRange(Buffer.from(keyOf(from)), Buffer.from(keyOf(to)), sequence);
          for (let i = from; i < to; i++) model.delete(keyOf(i));
        }
        if (random.next() < 0.01 && open.size < 5) {
          open.set(sequence, 1);
          seen.set(sequence, new Map(model));
        } else if (random.next() < 0.01 && open.size > 0) {
          const snapshot = random.pick([...open.keys()]);
          requireSame(snapshot, seen.get(snapshot) ?? new Map());
          open.delete(snapshot);
          seen.delete(snapshot);
          pruning ??= table.pruning();
        }
        if (random.next() < 0.3 && pruning?.next().done === true) pruning = undefined;
        if (random.next() < 0.002) requireSame(sequence, model);
      }
      for (const [snapshot, then] of seen) requireSame(snapshot, then);
      open.clear();
      while (table.isWorthPruning) for (const _ of table.pruning());
      requireSame(sequence, model);
    },
  );

  it('are no reason for others to wait when a snapshot is closed, however many another one sees', async () => {
    const directory = throwAwayDirectory('older-versions');
    const engine = await Engine.open(directory.path, { sync: 'none' });
    const write = async (): Promise<void> => {
      for (let n = 0; n < 60_000; n++) {
        engine.commit(new WriteBatchBuilder().put(0, Buffer.from(`${n}`), Buffer.from('v')).finish());
        if (n % 1_000 === 0) await engine.whenDurable(engine.sequence);
      }
    };
    await write();
    const long = engine.snapshot();
    await write();
    const tookMs: number[] = [];
    for (let i = 0; i < 21; i++) {
      engine.commit(new WriteBatchBuilder().put(0, Buffer.from('key'), Buffer.from(`${i}`)).finish());
      const short = engine.snapshot();
      const begin = performance.now();
      short.close();
      tookMs.push(performance.now() - begin);
    }
    expect(tookMs.sort((a, b) => a - b)[10]).toBeLessThan(5);
    long.close();
    await engine.close();
    directory.remove();
  });
});
