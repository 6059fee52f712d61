import { describe, expect, it } from 'vitest';
import { changesOf, MemtableGroup } from '../../../src/engine/memtable/index.js';
import { type Changes, changesPerMark } from '../../../src/engine/tree/index.js';
import { SeededRandom } from '../../support/seeded-random.js';

type Data = Map<string, string>;
const keyOf = (n: number): Buffer => Buffer.from(`k${n}`.padEnd(3 + (n % 5), 'x'));

/** Writes to a group and to the plain map that stands for all data. */
const writeAtRandom = (random: SeededRandom, group: MemtableGroup, data: Data, sequence: number): number => {
  const [table] = group.tables;
  for (let left = random.below(200); left > 0; left--) {
    const key = keyOf(random.below(300));
    const choice = random.next();
    sequence++;
    if (choice < 0.7) {
      const value = Buffer.from(`${sequence}`.repeat(random.below(4)));
      table.put(Buffer.concat([key, value]), 0, key.length, key.length, key.length + value.length, sequence);
      data.set(key.toString(), value.toString());
    } else if (choice < 0.9) {
      table.delete(key, 0, key.length, sequence);
      data.delete(key.toString());
    } else {
      const end = keyOf(random.below(300));
      table.deleteRange(key, end, sequence);
      for (const name of [...data.keys()])
        if (name >= key.toString() && name < end.toString()) data.delete(name);
    }
  }
  return sequence;
};

interface Change {
  readonly key: string;
  readonly value: string | undefined;
}

const changeAt = ({
  keyBytes,
  keyStart,
  keyEnd,
  isDeleted,
  valueBytes,
  valueStart,
  valueEnd,
}: Changes): Change => ({
  key: Buffer.from(keyBytes.subarray(keyStart, keyEnd)).toString(),
  value: isDeleted ? undefined : Buffer.from(valueBytes.subarray(valueStart, valueEnd)).toString(),
});

/** All changes, read with steps back to places that were marked. */
const readAll = (random: SeededRandom, changes: Changes): Change[] => {
  const seen: Change[] = [];
  while (changes.valid) {
    if (random.next() < 0.2) {
      const mark = changes.mark();
      for (let ahead = random.below(changesPerMark + 1); ahead > 0 && changes.valid; ahead--) changes.next();
      changes.reset(mark);
    }
    seen.push(changeAt(changes));
    changes.next();
  }
  return seen;
};

describe('the changes of memtables that are merged together', () => {
  it('make of the data below what the memtables make of it one after the other', () => {
    const random = SeededRandom.fromEnvironment('joined changes');
    for (let round = 0; round < 150; round++) {
      const below: Data = new Map();
      for (let n = 0; n < 300; n += 1 + random.below(4)) below.set(keyOf(n).toString(), 'below');
      const expected: Data = new Map(below);
      const groups: MemtableGroup[] = [];
      let sequence = 0;
      for (let left = 1 + random.below(4); left > 0; left--) {
        const group = new MemtableGroup(true);
        sequence = writeAtRandom(random, group, expected, sequence);
        group.freeze(sequence);
        groups.unshift(group);
      }
      const [changes] = changesOf(groups).byFamily;
      const actual: Data = new Map(below);
      for (const { begin, end } of changes.ranges)
        for (const key of below.keys()) {
          const bytes = Buffer.from(key);
          if (Buffer.compare(begin, bytes) <= 0 && Buffer.compare(bytes, end) < 0) actual.delete(key);
        }
      const all = readAll(random, changes);
      for (const { key, value } of all) {
        if (value === undefined) actual.delete(key);
        else actual.set(key, value);
      }
      expect(all.map(({ key }) => key)).toEqual([...new Set(all.map(({ key }) => key))].sort());
      expect([...actual].sort()).toEqual([...expected].sort());
    }
  });
});
