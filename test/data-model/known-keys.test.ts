import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { commandServices, Database } from '../../src/data-model/commands/index.js';
import { Engine } from '../../src/engine/index.js';
import { throwAwayDirectory } from '../services/index.js';

const hot = async (database: Database): Promise<void> => {
  for (let i = 0; i < 5; i++) await database.call('RPUSH', 'list', i);
};

describe('what is known of hot keys', () => {
  let directory: ReturnType<typeof throwAwayDirectory>;
  let store: Engine;
  beforeEach(async () => {
    directory = throwAwayDirectory('known-keys');
    store = await Engine.open(directory.path, { sync: 'none' });
  });
  afterEach(async () => {
    await store.close();
    directory.remove();
  });

  it('gives way to what somebody else has committed', async () => {
    const [one, other] = [new Database(store), new Database(store)];
    await hot(one);
    await other.call('LPUSH', 'list', 'x');
    expect(await one.call('LRANGE', 'list', 0, -1)).toEqual(['x', '0', '1', '2', '3', '4']);
    await one.call('RPOP', 'list');
    expect(await other.call('LLEN', 'list')).toBe(5);
  });

  it('gives way to a transaction', async () => {
    const database = new Database(store);
    await hot(database);
    await database.transaction([
      ['LPOP', 'list'],
      ['LPOP', 'list'],
    ]);
    expect(await database.call('RPUSH', 'list', 'x')).toBe(4);
  });

  it('ends with the key, however it ends', async () => {
    const database = new Database(store);
    const endings = [
      ['DEL', 'list'],
      ['DEL', 'list', 'list'],
      ['SET', 'list', 'text'],
      ['FLUSHDB'],
      ['FLUSHALL'],
      ['RENAME', 'list', 'other'],
      ['LTRIM', 'list', 1, 0],
      ['PEXPIREAT', 'list', 1],
      ['SUNIONSTORE', 'list', 'set'],
    ] as const;
    for (const [name, ...words] of endings) {
      await database.call('DEL', 'list');
      await database.call('SADD', 'set', 'a');
      await hot(database);
      await database.call(name, ...words);
      const type = name === 'SET' ? 'string' : name === 'SUNIONSTORE' ? 'set' : 'none';
      expect([name, await database.call('TYPE', 'list')]).toEqual([name, type]);
    }
  });

  it('survives a command that is refused after it has looked', async () => {
    const database = new Database(store);
    await hot(database);
    await expect(database.call('HSET', 'list', 'f', 'v')).rejects.toThrow('WRONGTYPE');
    await expect(database.call('LSET', 'list', 99, 'v')).rejects.toThrow('index out of range');
    expect(await database.call('LLEN', 'list')).toBe(5);
  });

  it('is right for both keys of a move between two hot lists', async () => {
    const database = new Database(store);
    for (let i = 0; i < 5; i++) {
      await database.call('RPUSH', 'a', i);
      await database.call('RPUSH', 'b', i);
    }
    for (let i = 0; i < 4; i++) await database.call('LMOVE', 'a', 'b', 'LEFT', 'RIGHT');
    expect(await database.call('LRANGE', 'a', 0, -1)).toEqual(['4']);
    expect(await database.call('LRANGE', 'b', 0, -1)).toEqual(['0', '1', '2', '3', '4', '0', '1', '2', '3']);
    await database.call('LMOVE', 'a', 'c', 'LEFT', 'RIGHT');
    expect(await database.call('EXISTS', 'a')).toBe(0);
    expect(await database.call('LRANGE', 'c', 0, -1)).toEqual(['4']);
  });

  it('is of one namespace', async () => {
    const services = { services: commandServices() };
    const [one, other] = [
      new Database(store, services),
      new Database(store, { ...services, namespace: 'n' }),
    ];
    await hot(one);
    expect(await other.call('EXISTS', 'list')).toBe(0);
    await hot(other);
    await one.call('RPUSH', 'list', 'x');
    expect(await other.call('LLEN', 'list')).toBe(5);
    expect(await one.call('LLEN', 'list')).toBe(6);
  });
});
