import { expect } from 'vitest';
import type { DataReader } from '../../src/engine/index.js';
import { WriteBatchBuilder } from '../../src/write-batch/index.js';

/** How many keys numbered writes go round. */
const keys = 1_000;

/** Write n sets key n mod 1000 to n. */
export const numberedWrite = (n: number): Buffer =>
  new WriteBatchBuilder().put(0, Buffer.from(`k${n % keys}`), Buffer.from(`${n}`)).finish();

/** Expects what write 1 to `last` leave: the newest thousand numbers, each at the beginning of its key's value. */
export const expectNumbersUpTo = (reader: DataReader, last: number): void => {
  for (let n = Math.max(1, last - keys + 1); n <= last; n++)
    expect(Number.parseInt(reader.get(0, Buffer.from(`k${n % keys}`))?.toString() ?? '', 10)).toBe(n);
  let count = 0;
  for (const { value } of reader.iterate({ columnFamily: 0 })) {
    expect(Number.parseInt(value.toString(), 10)).toBeGreaterThan(last - keys);
    count++;
  }
  expect(count).toBe(Math.min(keys, last));
};
