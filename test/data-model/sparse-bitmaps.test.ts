import { expect, it } from 'vitest';
import { ColumnFamily } from '../../src/data-model/index.js';
import { WriteBatchBuilder } from '../../src/write-batch/index.js';
import { CommandClient } from '../support/command-client.js';
import { SeededRandom } from '../support/seeded-random.js';

it('counts, finds and combines the bits of long bitmaps by the parts that were written', () => {
  const random = SeededRandom.fromEnvironment('sparse-bitmaps');
  const client = new CommandClient();
  let reads = 0;
  const { get } = client.store;
  client.store.get = (columnFamily, key) => {
    reads++;
    return get.call(client.store, columnFamily, key);
  };
  const bits = ['a', 'b'].map((key) => {
    // Some lie beside each other, some where fragments meet, some anywhere in half a gigabyte.
    const places = Array.from({ length: 60 }, (_, i) => {
      const place = random.pick([random.below(100), random.below(20) * 8_192 - 1, random.below(2 ** 32)]);
      return Math.max(0, place + (i % 3));
    }).map((place) => Math.min(place, 2 ** 32 - 1));
    for (const place of places) client.run('SETBIT', key, `${place}`, '1');
    return new Set(places);
  });
  const sorted = [...bits[0]].sort((a, b) => a - b);
  reads = 0;
  expect(client.run('BITCOUNT', 'a')).toBe(bits[0].size);
  expect(reads).toBeLessThan(1_000);
  for (let round = 0; round < 40; round++) {
    const first = random.pick([random.below(2 ** 32), Math.max(0, random.pick(sorted) - random.below(3))]);
    const last = first + random.pick([random.below(2 ** 32), random.below(20_000)]);
    const within = sorted.filter((place) => place >= first && place <= last);
    const range = [`${first}`, `${last}`, 'BIT'];
    expect(client.run('BITCOUNT', 'a', ...range)).toBe(within.length);
    expect(client.run('BITPOS', 'a', '1', ...range)).toBe(within[0] ?? -1);
  }
  for (const operation of ['AND', 'OR', 'XOR']) {
    const [a, b] = bits;
    client.run('BITOP', operation, 'to', 'a', 'b', ...(operation === 'OR' ? ['none'] : []));
    const both = [...a].filter((place) => b.has(place)).length;
    const counts: Record<string, number> = {
      AND: both,
      OR: a.size + b.size - both,
      XOR: a.size + b.size - 2 * both,
    };
    expect(client.run('BITCOUNT', 'to')).toBe(counts[operation]);
  }
});

it('refuses a bitmap whose length is none that one can have, instead of walking that far', () => {
  const client = new CommandClient();
  client.run('SETBIT', 'bits', '7', '1');
  for (const { key, value } of client.store.iterate({ columnFamily: ColumnFamily.metadata })) {
    const damaged = Buffer.from(value);
    damaged[20] = 0x80; // of the length, eight bytes from 17 on, the highest first
    client.store.commit(new WriteBatchBuilder().put(ColumnFamily.metadata, key, damaged).finish());
  }
  for (const call of [
    'BITCOUNT bits',
    'BITPOS bits 0',
    'BITOP NOT to bits',
    'SETBIT bits 9 1',
    'GETBIT bits 9',
  ])
    expect(client.run(...call.split(' '))).toBe('error ERR the stored bitmap is damaged');
});
