import { describe, expect, it } from 'vitest';
import { Memtable } from '../../../src/engine/memtable/memtable.js';
import { MemtableChanges } from '../../../src/engine/memtable/memtable-changes.js';
import { MemtableCursor } from '../../../src/engine/memtable/memtable-cursor.js';
import { OpenSnapshots } from '../../../src/engine/memtable/open-snapshots.js';
import { SeededRandom } from '../../support/seeded-random.js';

const latin1 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1');
const bytesOf = (key: string): Buffer => Buffer.from(key, 'latin1');

/** Strings of latin1 are ordered as their bytes are. */
const sortedKeys = (model: ReadonlyMap<string, number>): string[] => [...model.keys()].sort();

const put = (table: Memtable, key: string, value: number): void => {
  const bytes = bytesOf(`${key}${value}`);
  table.put(bytes, 0, key.length, key.length, bytes.length, 1);
};

const remove = (table: Memtable, key: string): void => table.delete(bytesOf(key), 0, key.length, 1);

const expectSame = (table: Memtable, model: ReadonlyMap<string, number>, random: SeededRandom): void => {
  const keys = sortedKeys(model);
  const cursor = new MemtableCursor(table, 1);
  const found: string[] = [];
  for (cursor.seekFirst(); cursor.valid; cursor.next()) {
    if (cursor.isDeleted) continue;
    const key = latin1(cursor.key());
    found.push(key);
    if (latin1(cursor.value()) !== `${model.get(key)}`) throw new Error(`the value of ${key} is another one`);
  }
  expect(found).toEqual(keys);
  found.length = 0;
  for (cursor.seekLast(); cursor.valid; cursor.previous())
    if (!cursor.isDeleted) found.push(latin1(cursor.key()));
  expect(found.reverse()).toEqual(keys);
  for (let i = 0; i < 60; i++) {
    const near = keys[random.below(keys.length + 1)] ?? '\xff\xff';
    const wanted = `${near.slice(0, random.below(near.length + 2))}${random.next() < 0.5 ? '' : latin1(random.bytes(1))}`;
    const at = keys.findIndex((key) => key >= wanted);
    const [next, previous] = at < 0 ? [undefined, keys.at(-1)] : [keys[at], keys[at - 1]];
    cursor.seek(bytesOf(wanted));
    while (cursor.valid && cursor.isDeleted) cursor.next();
    expect(cursor.valid ? latin1(cursor.key()) : undefined).toBe(next);
    cursor.seekBefore(bytesOf(wanted), false);
    while (cursor.valid && cursor.isDeleted) cursor.previous();
    expect(cursor.valid ? latin1(cursor.key()) : undefined).toBe(previous);
  }
};

/** Kinds of keys that the ordered index must cope with, each as a function of a number below `count`. */
const keyKinds: Record<string, (n: number, random: SeededRandom) => string> = {
  'numbers of one length': (n) => String(n).padStart(16, '0'),
  'binary keys of any length, the empty one too': (_, random) => latin1(random.bytes(random.below(7))),
  'keys that are prefixes of each other': (n) => '\0'.repeat(n % 300) + 'a'.repeat((n / 300) % 40),
  'keys that differ in their last bytes only': (n) => `${'p'.repeat(400)}${n}`,
  'few that differ early, many that differ late': (n) =>
    n % 1000 === 0 ? latin1(Buffer.from([n / 1000, 7])) : `user:profile:${n}`,
};

describe('memtable', () => {
  it.each(Object.entries(keyKinds))('keeps %s in order', (name, keyOf) => {
    const random = SeededRandom.fromEnvironment(`memtable of ${name}`);
    const table = new Memtable(new OpenSnapshots(), false);
    const model = new Map<string, number>();
    const count = 24_000;
    // The order of insertion decides how the index grows: all of these, one after the other.
    const orders = [
      () => random.below(count),
      (step: number) => step,
      (step: number) => count - step,
      (step: number) => (step * 7_919) % count,
    ];
    for (const order of orders) {
      for (let step = 0; step < count / 3; step++) {
        const key = keyOf(order(step), random);
        put(table, key, step);
        model.set(key, step);
        if (random.next() > 0.2) continue;
        const doomed = keyOf(random.below(count), random);
        remove(table, doomed);
        model.delete(doomed);
      }
      expectSame(table, model, random);
      if (random.next() > 0.5) continue;
      for (const key of sortedKeys(model).slice(random.below(100), -random.below(100))) {
        remove(table, key);
        model.delete(key);
      }
      expectSame(table, model, random);
    }
    for (const key of model.keys()) remove(table, key);
    expectSame(table, new Map(), random);
    expect(table.addedEntries).toBe(0);
  });

  it.each<[string, (step: number, count: number) => number]>([
    ['forwards', (step) => step],
    ['backwards', (step, count) => count - step],
    ['backwards but for the last', (step, count) => (step === count - 1 ? count : count - 1 - step)],
  ])('has keys that came %s in order once it is settled', (_, order) => {
    const random = SeededRandom.fromEnvironment('keys that came in order');
    const table = new Memtable(new OpenSnapshots(), false);
    const model = new Map<string, number>();
    const count = 40_000;
    for (let step = 0; step < count; step++) {
      const key = String(order(step, count)).padStart(8, '0');
      put(table, key, step);
      model.set(key, step);
    }
    table.freeze();
    for (const steps = table.settling(); !steps.next().done; );
    expectSame(table, model, random);
  });

  it('brings keys in order whenever and however often that is asked for', () => {
    const random = SeededRandom.fromEnvironment('order of a memtable');
    const table = new Memtable(new OpenSnapshots(), false);
    const cursor = new MemtableCursor(table, 1);
    const model = new Map<string, number>();
    const count = 20_000;
    // Never asked, and so all at once; then after every few; then after so many that they are brought in on the way.
    for (const [writes, asks] of [
      [count, 1],
      [20, 150],
      [count / 2, 2],
    ]) {
      for (let ask = 0; ask < asks; ask++) {
        for (let i = 0; i < writes; i++) {
          const key = String(random.below(count * 4)).padStart(ask % 3 === 0 ? 9 : 3, '0');
          put(table, key, i);
          model.set(key, i);
        }
        const wanted = String(random.below(count * 4));
        cursor.seek(bytesOf(wanted));
        if (ask % 50 !== 0) continue;
        const found = cursor.valid ? latin1(cursor.key()) : undefined;
        expect(found).toBe(sortedKeys(model).find((key) => key >= wanted));
      }
      expectSame(table, model, random);
    }
  });

  it('shows who walks in any direction what is there, though only where somebody looks it is in order', () => {
    const random = SeededRandom.fromEnvironment('walks of a memtable');
    for (let round = 0; round < 3; round++) {
      const table = new Memtable(new OpenSnapshots(), round % 2 === 0);
      const count = 30_000;
      const keys = new Set<string>();
      // Most keys have one of few beginnings.
      const makeKey = (): string =>
        `${random.pick(['', 'user:', 'user:0000000:'])}${random.below(count * 3)}`.padStart(4, '.');
      const add = (): void => {
        const key = makeKey();
        put(table, key, 1);
        keys.add(key);
      };
      while (keys.size < count) add();
      let sorted = [...keys].sort();
      const placeOf = (key: string): number => {
        let low = 0;
        for (let high = sorted.length; low < high; ) {
          const middle = (low + high) >>> 1;
          if (sorted[middle] < key) low = middle + 1;
          else high = middle;
        }
        return low;
      };
      const walks = [1, 2].map(() => ({ cursor: new MemtableCursor(table, 1), at: -1 }));
      for (let step = 0; step < 400; step++) {
        if (random.below(40) === 0) {
          for (let i = random.below(20); i >= 0; i--) add();
          sorted = [...keys].sort();
          for (const walk of walks) walk.at = -1;
        }
        const walk = random.pick(walks);
        const { cursor } = walk;
        const wanted = makeKey();
        if (walk.at < 0 || cursor.isStale || random.below(4) === 0) {
          if (random.below(3) === 0) {
            cursor.seekBefore(bytesOf(wanted), false);
            walk.at = placeOf(wanted) - 1;
          } else {
            cursor.seek(bytesOf(wanted));
            walk.at = placeOf(wanted);
          }
        }
        const isReverse = random.next() < 0.5;
        for (let i = random.below(random.pick([3, 40, 3_000])); i >= 0 && cursor.valid; i--) {
          if (isReverse) cursor.previous();
          else cursor.next();
          walk.at += isReverse ? -1 : 1;
        }
        expect(cursor.valid ? latin1(cursor.key()) : undefined).toBe(sorted[walk.at]);
        if (!cursor.valid) walk.at = -1;
      }
      if (round % 2 === 0) continue;
      // Ranges deleted where nobody has looked yet.
      const begin = random.pick(sorted);
      const end = random.pick(sorted.slice(placeOf(begin)));
      table.deleteRange(bytesOf(begin), bytesOf(end), 2);
      sorted = sorted.filter((key) => key < begin || key >= end);
      expect(table.count).toBe(sorted.length);
      const cursor = new MemtableCursor(table, 2);
      let at = 0;
      for (cursor.seekFirst(); cursor.valid; cursor.next()) if (latin1(cursor.key()) !== sorted[at++]) break;
      expect(at).toBe(sorted.length);
    }
  });

  it('is brought in order step by step, and at once for who asks meanwhile', () => {
    for (const stepsBeforeAsking of [0, 5, 1_000]) {
      const table = new Memtable(new OpenSnapshots(), true);
      const count = 40_000;
      for (let i = 0; i < count; i++) put(table, String((i * 7_919) % count).padStart(8, '0'), i);
      table.freeze();
      const settling = table.settling();
      for (let i = 0; i < stepsBeforeAsking && !settling.next().done; i++);
      const cursor = new MemtableCursor(table, 1);
      let at = 0;
      for (cursor.seekFirst(); cursor.valid; cursor.next()) if (Number(latin1(cursor.key())) !== at++) break;
      while (!settling.next().done);
      for (cursor.seekLast(); cursor.valid; cursor.previous())
        if (Number(latin1(cursor.key())) !== --at) break;
      expect(at).toBe(0);
    }
  });

  it('goes back to a marked place when it is merged', () => {
    const table = new Memtable(new OpenSnapshots(), true);
    const count = 40_000;
    for (let i = 0; i < count; i++) put(table, String((i * 7_919) % count).padStart(8, '0'), i);
    table.freeze();
    const changes = new MemtableChanges(table);
    const keyAt = (): string => latin1(changes.keyBytes.subarray(changes.keyStart, changes.keyEnd));
    for (let at = 0; at < count; ) {
      const mark = changes.mark();
      const ahead = Math.min(count - at, 1_000);
      for (let i = 0; i < ahead; i++, changes.next()) expect(Number(keyAt())).toBe(at + i);
      if (at % 7 === 0) {
        changes.reset(mark);
        expect(Number(keyAt())).toBe(at);
        for (let i = 0; i < ahead; i++) changes.next();
      }
      at += ahead;
    }
    expect(changes.valid).toBe(false);
  });
});
