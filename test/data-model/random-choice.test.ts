import { describe, expect, it } from 'vitest';
import { CommandClient } from '../support/command-client.js';

const members = Array.from({ length: 1_000 }, (_, i) => `member:${i}`);

const filled = (): CommandClient => {
  const client = new CommandClient();
  client.run('SADD', 's', ...members);
  client.run('HSET', 'h', ...members.flatMap((member) => [member, `value of ${member}`]));
  client.run('ZADD', 'z', ...members.flatMap((member, i) => [`${i}`, member]));
  return client;
};

/** How many different answers so many calls of a command bring. */
const differentOf = (client: CommandClient, times: number, ...words: string[]): Set<unknown> =>
  new Set(Array.from({ length: times }, () => client.run(...words)));

describe('random choices', () => {
  it.each([
    ['SRANDMEMBER', 's'],
    ['HRANDFIELD', 'h'],
    ['ZRANDMEMBER', 'z'],
  ])('of %s come from all of a large key', (command, key) => {
    const found = differentOf(filled(), 300, command, key);
    for (const member of found) expect(members).toContain(member);
    // A fair choice brings about 259 of them.
    expect(found.size).toBeGreaterThan(180);
  });

  it('of several entries are different ones, unless repeats are asked for', () => {
    const client = filled();
    const several = client.run('SRANDMEMBER', 's', '20') as string[];
    expect(new Set(several).size).toBe(20);
    expect(client.run('SRANDMEMBER', 's', '-20')).toHaveLength(20);
    expect(new Set(client.run('ZRANDMEMBER', 'z', '5000') as string[])).toEqual(new Set(members));
    const fields = client.run('HRANDFIELD', 'h', '10', 'WITHVALUES') as string[];
    for (let at = 0; at < fields.length; at += 2) expect(fields[at + 1]).toBe(`value of ${fields[at]}`);
  });

  it('of a small key come from all of it, the first and the last among them', () => {
    const client = new CommandClient();
    const few = members.slice(0, 5);
    client.run('SADD', 's', ...few);
    client.run('SADD', 'another', 'stranger');
    expect(differentOf(client, 200, 'SRANDMEMBER', 's')).toEqual(new Set(few));
    expect([...(client.run('SRANDMEMBER', 's', '5') as string[])].sort()).toEqual(few);
    expect(new Set(client.run('SRANDMEMBER', 's', '-200') as string[])).toEqual(new Set(few));
  });

  it('of SPOP take every member once', () => {
    const client = filled();
    const popped = Array.from({ length: members.length }, () => client.run('SPOP', 's') as string);
    expect([...popped].sort()).toEqual([...members].sort());
    expect(client.run('EXISTS', 's')).toBe(0);
  });

  it('of RANDOMKEY reach keys of any form, and none that has expired', () => {
    const client = new CommandClient();
    const keys = ['a', 'ab', 'abc', 'user:1', 'user:10', 'user:2', 'z', 'ÿÿ'];
    for (const key of keys) client.run('SET', key, 'v');
    client.run('SET', 'past', 'v', 'PXAT', '1');
    expect(differentOf(client, 400, 'RANDOMKEY')).toEqual(
      new Set(keys.map((key) => Buffer.from(key).toString('latin1'))),
    );
    client.run('FLUSHDB');
    expect(client.run('RANDOMKEY')).toBe(null);
  });
});

describe('counts in sorted sets', () => {
  it('are those of the members before, from either end', () => {
    const client = filled();
    for (const i of [0, 1, 2, 499, 500, 998, 999]) {
      expect(client.run('ZRANK', 'z', `member:${i}`)).toBe(i);
      expect(client.run('ZREVRANK', 'z', `member:${i}`)).toBe(999 - i);
    }
    expect(client.run('ZCOUNT', 'z', '(10', '20')).toBe(10);
    expect(client.run('ZCOUNT', 'z', '20', '(10')).toBe(0);
    expect(client.run('ZLEXCOUNT', 'z', '-', '+')).toBe(1_000);
  });
});
