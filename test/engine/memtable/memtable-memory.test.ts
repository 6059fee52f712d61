import { expect, test } from 'vitest';
import { MemtableGroup } from '../../../src/engine/memtable/index.js';
import { chunkBytes, MemtableMemory } from '../../../src/engine/memtable/memtable-memory.js';

const take = (memory: MemtableMemory, count: number): Buffer[] =>
  Array.from({ length: count }, () => memory.takeChunk());

test('chunks that were given back are given out before any that nobody had', () => {
  const memory = new MemtableMemory();
  const chunks = take(memory, 5);
  expect(new Set(chunks).size).toBe(5);
  expect(memory.spareBytes).toBe(0);
  memory.giveChunks(chunks);
  expect(memory.spareBytes).toBe(5 * chunkBytes);
  expect(new Set(take(memory, 5))).toEqual(new Set(chunks));
});

test('no more is kept than may be, but by whole regions', () => {
  const memory = new MemtableMemory(16 * chunkBytes);
  memory.giveChunks(take(memory, 100));
  expect(memory.spareBytes).toBeLessThanOrEqual(16 * chunkBytes);
  expect(new Set(take(memory, 100)).size).toBe(100);
});

test('a table that comes back is one of zeros', () => {
  const memory = new MemtableMemory();
  const table = memory.takeTable(1 << 16);
  table.fill(7);
  memory.giveTable(table);
  const again = memory.takeTable(1 << 16);
  expect(again).toBe(table);
  expect(again.every((slot) => slot === 0)).toBe(true);
});

test('a piece of memory serves who needs somewhat less, and not who needs little of it', () => {
  const memory = new MemtableMemory();
  const large = memory.takeWords(100_000);
  memory.giveWords(large);
  const small = memory.takeWords(10_000);
  expect(small.buffer).not.toBe(large.buffer);
  const medium = memory.takeWords(60_000);
  expect(medium).toHaveLength(60_000);
  expect(medium.buffer).toBe(large.buffer);
  expect(memory.spareBytes).toBe(0);
  memory.giveWords(medium);
  expect(memory.takeWords(large.length).buffer).toBe(large.buffer);
});

test('what the last reader of a group lets go is what the next group is filled into', () => {
  const memory = new MemtableMemory();
  const fill = (group: MemtableGroup): void => {
    const bytes = Buffer.alloc(1_016);
    for (let i = 0; i < 4_000; i++) {
      bytes.writeUInt32BE(i);
      group.tables[0].put(bytes, 0, 16, 16, 1_016, i + 1);
    }
  };
  const first = new MemtableGroup(true, memory);
  fill(first);
  const taken = first.byteLength;
  first.retain();
  first.release();
  expect(memory.spareBytes).toBe(0);
  first.release();
  expect(memory.spareBytes).toBeGreaterThan(taken / 2);
  const second = new MemtableGroup(true, memory, first);
  fill(second);
  expect(memory.spareBytes).toBe(0);
});
