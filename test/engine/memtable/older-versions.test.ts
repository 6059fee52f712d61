import { describe, expect, it } from 'vitest';
import { hashKey } from '../../../src/engine/key-hash.js';
import { Memtable } from '../../../src/engine/memtable/memtable.js';
import { OpenSnapshots } from '../../../src/engine/memtable/open-snapshots.js';
import { SeededRandom } from '../../support/seeded-random.js';

/** STEPS=1000000 is the long setting. */
const steps = Number(process.env['STEPS'] ?? 30_000);
const keys = 400;

describe('older versions', () => {
  it.each([true, false])(
    'are those that snapshots see, while they are dropped some at a time beside writes (over older data: %s)',
    (hidesOlder) => {
      const random = SeededRandom.fromEnvironment('older versions');
      const open = new OpenSnapshots();
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
          open.add(sequence);
          seen.set(sequence, new Map(model));
        } else if (random.next() < 0.01 && open.size > 0) {
          const snapshot = random.pick([...seen.keys()]);
          requireSame(snapshot, seen.get(snapshot) ?? new Map());
          open.release(snapshot);
          seen.delete(snapshot);
          pruning ??= table.pruning();
        }
        if (random.next() < 0.3 && pruning?.next().done === true) pruning = undefined;
        if (random.next() < 0.002) requireSame(sequence, model);
      }
      for (const [snapshot, then] of seen) requireSame(snapshot, then);
      for (const snapshot of seen.keys()) open.release(snapshot);
      while (table.isWorthPruning) for (const _ of table.pruning());
      requireSame(sequence, model);
    },
  );

  it('are not all looked at again for each snapshot that is closed, however many another one sees', () => {
    const open = new OpenSnapshots();
    const table = new Memtable(open, false);
    let sequence = 0;
    const put = (text: string): void => {
      const key = Buffer.from(text);
      table.put(key, 0, key.length, key.length, key.length, ++sequence);
    };
    const lookedAt = (): number => {
      let steps = 0;
      if (table.isWorthPruning) for (const _ of table.pruning()) steps++;
      return steps;
    };
    const writeAll = (): void => {
      for (let n = 0; n < 20_000; n++) put(`${n}`);
    };
    writeAll();
    open.add(sequence);
    writeAll();
    const once = lookedAt();
    expect(once).toBeGreaterThan(100);
    let steps = 0;
    for (let n = 0; n < 1_000; n++) {
      put('key');
      open.add(sequence);
      open.release(sequence);
      steps += lookedAt();
    }
    expect(steps).toBeLessThanOrEqual(once);
  });

  it('are kept where a snapshot is in a span of sequence numbers, as a plain set has them', () => {
    const open = new OpenSnapshots();
    const seen = new Set<number>();
    const random = SeededRandom.fromEnvironment('open snapshots');
    for (let step = 0; step < steps; step++) {
      const sequence = random.below(2_000);
      if (random.next() < 0.5) {
        if (!seen.has(sequence)) open.add(sequence);
        seen.add(sequence);
      } else if (seen.delete(sequence)) expect(open.release(sequence)).toBe(true);
      const from = random.below(2_000);
      const end = from + random.below(4);
      let isAny = false;
      for (let at = from; at < end; at++) isAny ||= seen.has(at);
      if (open.isAnyIn(from, end) !== isAny) expect([from, end]).toBe(isAny);
    }
    expect(open.size).toBe(seen.size);
  });
});
