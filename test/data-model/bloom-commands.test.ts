import { describe, expect, it } from 'vitest';
import { xxHash64 } from '../../src/bytes/index.js';
import { ColumnFamily } from '../../src/data-model/index.js';
import { WriteBatchBuilder } from '../../src/write-batch/index.js';
import { CommandClient } from '../support/command-client.js';

describe('a Bloom filter', () => {
  it('never forgets an item, and rarely claims one that was not added', () => {
    const client = new CommandClient();
    client.run('BF.RESERVE', 'bf', '0.01', '1000');
    for (let i = 0; i < 1000; i++) client.run('BF.ADD', 'bf', `item ${i}`);
    for (let i = 0; i < 1000; i++) expect(client.run('BF.EXISTS', 'bf', `item ${i}`)).toBe(1);
    let claimed = 0;
    for (let i = 0; i < 1000; i++) claimed += Number(client.run('BF.EXISTS', 'bf', `other ${i}`));
    expect(claimed).toBeLessThan(50);
  });

  it('grows by filters when it is full, unless it must not', () => {
    const client = new CommandClient();
    client.run('BF.RESERVE', 'grows', '0.001', '10');
    client.run('BF.RESERVE', 'stays', '0.001', '10', 'NONSCALING');
    for (let i = 0; i < 100; i++) client.run('BF.ADD', 'grows', `${i}`);
    expect(client.run('BF.INFO', 'grows')).toContain('Number of filters');
    expect(client.run('BF.MEXISTS', 'grows', '0', '50', '99')).toEqual([1, 1, 1]);
    const replies = Array.from({ length: 20 }, (_, i) => client.run('BF.ADD', 'stays', `${i}`));
    expect(replies).toContain('error ERR nonscaling filter is full');
    expect(client.run('BF.CARD', 'stays')).toBe(10);
  });

  it('takes several items at once, in a shape told with them', () => {
    const client = new CommandClient();
    expect(client.run('BF.INSERT', 'none', 'NOCREATE', 'ITEMS', 'a')).toBe('error ERR key is not found');
    const shape = ['CAPACITY', '2', 'ERROR', '0.001', 'NONSCALING'];
    expect(client.run('BF.INSERT', 'small', ...shape, 'ITEMS', 'a', 'b', 'a')).toEqual([1, 1, 0]);
    expect(client.run('BF.MADD', 'small', 'b', 'c', 'a')).toEqual([
      0,
      'error ERR nonscaling filter is full',
      0,
    ]);
    expect(client.run('BF.INFO', 'small', 'items')).toBe(2);
    expect(client.run('BF.INFO', 'small', 'EXPANSION')).toBeNull();
    expect(client.run('BF.INFO', 'small', 'x')).toBe('error ERR Invalid info argument');
    expect(client.run('BF.INSERT', 'other', 'EXPANSION', '4', 'ITEMS', 'items', 'x')).toEqual([1, 1]);
    expect(client.run('BF.INFO', 'other', 'EXPANSION')).toBe(4);
    expect(client.run('BF.INSERT', 'other', 'NOCREATE', 'ITEMS')).toBe(
      'error ERR num of items should be greater than 0',
    );
    expect(client.run('BF.INSERT', 'other', 'CAPACITY', '0', 'ITEMS', 'a')).toMatch(/^error/);
    expect(client.run('BF.INSERT', 'other', 'a', 'b')).toBe('error ERR syntax error');
    expect(client.run('BF.INSERT', 'other', 'NONSCALING', 'EXPANSION', '2', 'ITEMS', 'a')).toMatch(/^error/);
  });

  it('is refused for a key of another type and with senseless numbers', () => {
    const client = new CommandClient();
    client.run('SET', 's', 'v');
    expect(client.run('BF.ADD', 's', 'x')).toMatch(/^error WRONGTYPE/);
    expect(client.run('BF.RESERVE', 'bf', '2', '10')).toMatch(/^error/);
    expect(client.run('BF.RESERVE', 'bf', '0.1', '0')).toMatch(/^error/);
    expect(client.run('EXISTS', 'bf')).toBe(0);
  });
});

describe('a Bloom filter that is damaged', () => {
  /** The chain's metadata and its filter, changed as they are stored. */
  const damage = (client: CommandClient, family: number, change: (value: Buffer) => Buffer): void => {
    const batch = new WriteBatchBuilder();
    for (const { key, value } of client.store.iterate({ columnFamily: family }))
      batch.put(family, key, change(Buffer.from(value)));
    client.store.commit(batch.finish());
  };
  const withByte = (at: number, byte: number) => (value: Buffer) => {
    value[at] = byte;
    return value;
  };

  it.each([
    ['a filter that is cut', ColumnFamily.subKeys, (value: Buffer) => value.subarray(0, 30)],
    ['a filter that is empty', ColumnFamily.subKeys, (value: Buffer) => value.subarray(0, 0)],
    ['more filters than there are', ColumnFamily.metadata, withByte(26, 2)],
    ['no filters', ColumnFamily.metadata, withByte(26, 0)],
    ['a rate that is none', ColumnFamily.metadata, withByte(33, 0xff)],
  ] as const)('is refused by name: %s', (_, family, change) => {
    const client = new CommandClient();
    client.run('BF.ADD', 'bf', 'a');
    damage(client, family, change);
    for (const call of ['BF.ADD', 'BF.EXISTS', 'BF.MADD', 'BF.MEXISTS'])
      expect(client.run(call, 'bf', 'b')).toBe('error ERR the stored filter is damaged');
  });
});

describe('xxHash64', () => {
  it('gives the published values', () => {
    expect(xxHash64(Buffer.alloc(0))).toBe(0xef46db3751d8e999n);
    expect(xxHash64(Buffer.from('a'))).toBe(0xd24ec4f1a98c6e5bn);
    expect(xxHash64(Buffer.from('Nobody inspects the spammish repetition'))).toBe(0xfbcea83c8a378bf1n);
  });
});
