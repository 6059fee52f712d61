import { expect, it } from 'vitest';
import { changesOf, MemtableCursor, MemtableGroup } from '../../../src/engine/memtable/index.js';
import type { Changes } from '../../../src/engine/tree/index.js';
import { SeededRandom } from '../../support/seeded-random.js';

/** Counters with leading zeros, random bytes of any length, and keys that differ only far behind their start. */
const randomKey = (random: SeededRandom): Buffer => {
  const dice = random.below(10);
  if (dice < 5) return Buffer.from(String(random.below(1e8)).padStart(16, '0'));
  if (dice < 9) return random.bytes(random.below(14));
  return Buffer.concat([Buffer.alloc(20, 's'), random.bytes(random.below(4))]);
};

/** The keys of changes in hexadecimal, which orders as the bytes do. */
const keysOf = (changes: Changes): string[] => {
  const keys: string[] = [];
  for (; changes.valid; changes.next())
    keys.push(Buffer.from(changes.keyBytes.subarray(changes.keyStart, changes.keyEnd)).toString('hex'));
  return keys;
};

it('gives the changes of a large memtable in order, whether its ranges were read before, meanwhile or never', () => {
  const random = SeededRandom.fromEnvironment('many changes');
  const group = new MemtableGroup(true);
  const [table] = group.tables;
  const expected = new Set<string>();
  for (let sequence = 1; sequence <= 120_000; sequence++) {
    const key = randomKey(random);
    table.put(key, 0, key.length, 0, 0, sequence);
    expected.add(key.toString('hex'));
  }
  group.freeze(120_000);
  const sorted = [...expected].sort();
  const changes = (): Changes => changesOf([group]).byFamily[0];
  const settling = group.settling();
  for (let step = 0; step < 5; step++) settling.next();
  const seen = keysOf(changes());
  expect(seen.length).toBe(sorted.length);
  expect(seen.every((key, i) => key === sorted[i])).toBe(true);

  const meanwhile = changes();
  const cursor = new MemtableCursor(table, 120_000);
  const wanted = sorted[sorted.length >>> 1] ?? '';
  cursor.seek(Buffer.from(wanted, 'hex'));
  expect(cursor.keyBytes.toString('hex', cursor.keyStart, cursor.keyEnd)).toBe(wanted);
  expect(keysOf(meanwhile).every((key, i) => key === sorted[i])).toBe(true);
  expect(keysOf(changes()).every((key, i) => key === sorted[i])).toBe(true);
});

it.each(['ascend', 'descend', 'ascend to the middle, then begin again'])(
  'gives changes in order whose keys %s',
  (way) => {
    const keys = 50_000;
    const numberAt = (i: number): number => {
      if (way === 'ascend') return i;
      if (way === 'descend') return keys - 1 - i;
      return i < keys / 2 ? 2 * i : 2 * (i - keys / 2) + 1;
    };
    const group = new MemtableGroup(true);
    const [table] = group.tables;
    for (let i = 0; i < keys; i++) {
      const key = Buffer.from(String(numberAt(i)).padStart(8, '0'));
      table.put(key, 0, key.length, 0, 0, i + 1);
    }
    group.freeze(keys);
    const seen = keysOf(changesOf([group]).byFamily[0]);
    expect(seen.length).toBe(keys);
    expect(seen.every((key, i) => Buffer.from(key, 'hex').toString() === String(i).padStart(8, '0'))).toBe(
      true,
    );
  },
);
