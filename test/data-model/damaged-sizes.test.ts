import { describe, expect, it } from 'vitest';
import { ColumnFamily } from '../../src/data-model/index.js';
import { WriteBatchBuilder } from '../../src/write-batch/index.js';
import { CommandClient } from '../support/command-client.js';

/** Turns a bit of the metadata of the only key. */
const damage = (client: CommandClient, at: number, bit: number): void => {
  for (const { key, value } of client.store.iterate({ columnFamily: ColumnFamily.metadata })) {
    const damaged = Buffer.from(value);
    damaged[at] ^= bit;
    client.store.commit(new WriteBatchBuilder().put(ColumnFamily.metadata, key, damaged).finish());
  }
};

const sizeAt = 17;
const headAt = 25;
const tailAt = 33;
const members = Array.from({ length: 20 }, (_, i) => `m${i}`);

const damagedSet = (): CommandClient => {
  const client = new CommandClient();
  client.run('SADD', 's', ...members);
  damage(client, sizeAt + 1, 0x04); // more than 10^15
  return client;
};

describe('a key whose metadata tells of far more elements than there are', () => {
  it.each(['19', '1025', '10000000000000', '9000000000000000000'])(
    'gives what it has to SPOP and SRANDMEMBER of %s',
    (count) => {
      const client = damagedSet();
      const wanted = Math.min(Number(count), members.length);
      expect(new Set(client.run('SRANDMEMBER', 's', count) as string[]).size).toBe(wanted);
      const popped = new Set(client.run('SPOP', 's', count) as string[]);
      expect(popped.size).toBe(wanted);
      expect((client.run('SMEMBERS', 's') as string[]).filter((member) => popped.has(member))).toEqual([]);
    },
  );

  it('gives members with repeats to SRANDMEMBER', () => {
    expect(damagedSet().run('SRANDMEMBER', 's', '-50')).toHaveLength(50);
  });

  it.each([
    ['head', headAt, '-2', '-1'],
    ['tail', tailAt, '0', '1'],
    ['tail', tailAt, '5', '6'],
  ])('refuses LTRIM where its %s is elsewhere, instead of deleting all that way', (_, at, from, to) => {
    const client = new CommandClient();
    client.run('RPUSH', 'l', ...members);
    damage(client, at + 5, 0x10); // a million places further out
    expect(() => client.run('LTRIM', 'l', from, to)).toThrow('an element of a list is missing');
  });
});
