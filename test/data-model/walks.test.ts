import { describe, expect, it } from 'vitest';
import { CommandClient } from '../support/command-client.js';

const walk = (
  client: CommandClient,
  words: (cursor: string) => string[],
): { items: string[]; steps: number } => {
  const items: string[] = [];
  let cursor = '0';
  let steps = 0;
  do {
    const [next, found] = client.run(...words(cursor)) as [string, string[]];
    items.push(...found);
    cursor = next;
    steps++;
  } while (cursor !== '0');
  return { items, steps };
};

describe('a walk by SCAN', () => {
  it('sees every key once, in steps of the wanted size', () => {
    const client = new CommandClient();
    const keys = Array.from({ length: 1000 }, (_, i) => `key:${i}`);
    for (const key of keys) client.run('SET', key, 'v');
    const { items, steps } = walk(client, (cursor) => ['SCAN', cursor, 'COUNT', '100']);
    expect([...items].sort()).toEqual([...keys].sort());
    expect(steps).toBe(10);
  });

  it('sees keys that were there all the time, while others come and go', () => {
    const client = new CommandClient();
    for (let i = 0; i < 200; i++) client.run('SET', `stay:${i}`, 'v');
    let added = 0;
    const { items } = walk(client, (cursor) => {
      client.run('SET', `new:${added++}`, 'v');
      client.run('DEL', `new:${added - 3}`);
      return ['SCAN', cursor, 'COUNT', '7', 'MATCH', 'stay:*'];
    });
    expect(new Set(items).size).toBe(200);
    expect(items).toHaveLength(200);
  });

  it('of fields, members and scores goes on where it stopped', () => {
    const client = new CommandClient();
    for (let i = 0; i < 50; i++) {
      client.run('HSET', 'h', `f${i}`, `${i}`);
      client.run('SADD', 's', `m${i}`);
      client.run('ZADD', 'z', `${i}`, `m${i}`);
    }
    expect(walk(client, (cursor) => ['HSCAN', 'h', cursor]).items).toHaveLength(100);
    expect(walk(client, (cursor) => ['SSCAN', 's', cursor, 'COUNT', '3']).items).toHaveLength(50);
    expect(walk(client, (cursor) => ['ZSCAN', 'z', cursor, 'MATCH', '*1*']).items).toHaveLength(28);
  });

  it('is refused with a cursor that was never given out', () => {
    const client = new CommandClient();
    expect(client.run('SCAN', '7')).toBe('error ERR invalid cursor');
    expect(client.run('SCAN', 'x')).toBe('error ERR invalid cursor');
  });

  it('stays within its namespace', () => {
    const one = new CommandClient(Date.now, 'one');
    one.run('SET', 'a', '1');
    const two = new CommandClient(Date.now, 'on');
    two.store.commit(Buffer.alloc(12));
    expect(two.run('KEYS', '*')).toEqual([]);
    expect(one.run('KEYS', '*')).toEqual(['a']);
    expect(one.run('DBSIZE')).toBe(1);
  });
});

describe('an expired key', () => {
  it('is gone for every reader, and its type is free for another', () => {
    let now = 1_700_000_000_000;
    const client = new CommandClient(() => now);
    client.run('RPUSH', 'k', 'a');
    client.run('PEXPIRE', 'k', '100');
    now += 101;
    expect(client.run('EXISTS', 'k')).toBe(0);
    expect(client.run('SCAN', '0')).toEqual(['0', []]);
    expect(client.run('TTL', 'k')).toBe(-2);
    expect(client.run('SADD', 'k', 'm')).toBe(1);
    expect(client.run('TTL', 'k')).toBe(-1);
  });

  it('leaves none of its elements to the key that follows it', () => {
    let now = 1_700_000_000_000;
    const client = new CommandClient(() => now);
    client.run('HSET', 'h', 'old', '1');
    client.run('PEXPIRE', 'h', '100');
    now += 101;
    client.run('HSET', 'h', 'new', '1');
    expect(client.run('HGETALL', 'h')).toEqual(['new', '1']);
  });
});

describe('floats', () => {
  it('are counted in full and stored with six decimals, as Kvrocks stores them', () => {
    const client = new CommandClient();
    expect(client.run('INCRBYFLOAT', 'f', '10.5')).toBe('10.5');
    expect(client.run('GET', 'f')).toBe('10.500000');
    expect(client.run('INCRBYFLOAT', 'f', '-0.25')).toBe('10.25');
    expect(client.run('HINCRBYFLOAT', 'h', 'f', '1e3')).toBe('1000');
    expect(client.run('INCRBYFLOAT', 'f', 'inf')).toBe('error ERR increment would produce NaN or Infinity');
    expect(client.run('INCRBYFLOAT', 'f', 'x')).toBe('error ERR value is not a valid float');
  });
});
