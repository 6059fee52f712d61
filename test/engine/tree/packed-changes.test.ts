import { describe, expect, it } from 'vitest';
import { changesOf, MemtableGroup } from '../../../src/engine/memtable/index.js';
import type { Changes } from '../../../src/engine/tree/index.js';
import { ChangePacker, PackedChanges } from '../../../src/engine/tree/merge-thread/packed-changes.js';
import { ListChanges } from './list-changes.js';

/** Keys in order, of every length up to 200, with values of every length around that of what is copied at once. */
const entries = Array.from({ length: 1_100 }, (_, n): [Buffer, Buffer | undefined] => [
  Buffer.from(
    String(n)
      .padStart(4, '0')
      .padEnd(4 + (n % 200), `k${n}`),
  ),
  n % 7 === 3 ? undefined : Buffer.from(`${n}-`.repeat(300).slice(0, n % 550)),
]);

const packed = (changes: Changes): Changes => {
  const packer = new ChangePacker(changes);
  return new PackedChanges([], () => {
    if (packer.isAtEnd) return undefined;
    const chunk = new Uint8Array(new SharedArrayBuffer(4096));
    return { bytes: chunk.subarray(0, packer.packInto(chunk)), release: () => {} };
  });
};

const expectEntries = (changes: Changes): void => {
  for (const [key, value] of entries) {
    const { keyBytes, keyStart, keyEnd, valueBytes, valueStart, valueEnd } = changes;
    expect(Buffer.from(keyBytes.slice(keyStart, keyEnd))).toEqual(key);
    expect(changes.isDeleted).toBe(value === undefined);
    if (value !== undefined) expect(Buffer.from(valueBytes.slice(valueStart, valueEnd))).toEqual(value);
    changes.next();
  }
  expect(changes.valid).toBe(false);
};

describe('changes on their way to another thread', () => {
  it('are the same there, in whatever memory they lay', () => {
    expectEntries(packed(new ListChanges(entries)));

    const group = new MemtableGroup(true);
    let sequence = 0;
    for (const [key, value = Buffer.alloc(0)] of entries)
      group.tables[0].put(
        Buffer.concat([key, value]),
        0,
        key.length,
        key.length,
        key.length + value.length,
        ++sequence,
      );
    for (const [key, value] of entries)
      if (value === undefined) group.tables[0].delete(key, 0, key.length, ++sequence);
    group.freeze(sequence);
    expectEntries(packed(changesOf([group]).byFamily[0]));
  });
});
