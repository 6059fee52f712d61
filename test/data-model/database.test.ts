import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Database } from '../../src/data-model/commands/index.js';
import { Decoder } from '../../src/data-model/index.js';
import { Engine } from '../../src/engine/index.js';
import { throwAwayDirectory } from '../services/index.js';

describe('commands in the same process', () => {
  let directory: ReturnType<typeof throwAwayDirectory>;
  let engine: Engine;
  let database: Database;
  beforeEach(async () => {
    directory = throwAwayDirectory('database');
    engine = await Engine.open(directory.path);
    database = new Database(engine);
  });
  afterEach(async () => {
    await engine.close();
    directory.remove();
  });

  /** The changes of each batch of the log. */
  const logged = (): string[][] => {
    const decoder = new Decoder();
    return Array.from(engine.walIterator(0), ({ bytes }) =>
      decoder.decode(Buffer.from(bytes)).changes.map(({ op, type }) => `${op} ${type}`),
    );
  };

  it('answer in the types of JavaScript', async () => {
    expect(await database.call('SET', 'a', 'ä')).toBe('OK');
    expect(await database.call('get', 'a')).toBe('ä');
    expect(await database.call('GET', 'none')).toBeNull();
    expect(await database.call('INCRBY', 'n', 2n ** 40n)).toBe(2 ** 40);
    expect(await database.call('HSET', 'h', 'user', 'ada', 'total', 42)).toBe(2);
    expect(await database.call('HGETALL', 'h')).toEqual(
      new Map([
        ['user', 'ada'],
        ['total', '42'],
      ]),
    );
    await database.call('ZADD', 'z', 1.5, 'x', 2, 'y');
    expect(await database.call('ZSCORE', 'z', 'x')).toBe(1.5);
    expect(await database.call('ZRANGE', 'z', 0, -1, 'WITHSCORES')).toEqual([
      ['x', 1.5],
      ['y', 2],
    ]);
    expect(await database.call('BLPOP', 'empty', 0)).toBeNull();
  });

  it('keep bytes as they are', async () => {
    const bytes = Buffer.from([0, 255, 13, 10, 128]);
    await database.call('SET', bytes, bytes);
    const read = await database.callBuffer('GET', bytes);
    await database.call('SET', bytes, 'other');
    expect(read).toEqual(bytes);
  });

  it('see each other before they are durable, and are durable when they resolve', async () => {
    const writes = Array.from({ length: 100 }, () => database.call('INCR', 'n'));
    expect(await database.call('GET', 'n')).toBe('100');
    expect(await Promise.all(writes)).toEqual(Array.from({ length: 100 }, (_, i) => i + 1));
    expect(engine.durableSequence).toBe(engine.sequence);
  });

  it('are refused in the words of Redis, and then write nothing', async () => {
    await database.call('SET', 's', 'text');
    const { sequence } = engine;
    const refusal = (message: string) => ({ code: 'COMMAND_REFUSED', message });
    await expect(database.call('LPUSH', 's', 'x')).rejects.toMatchObject(
      refusal('WRONGTYPE Operation against a key holding the wrong kind of value'),
    );
    await expect(database.call('INCR', 's')).rejects.toMatchObject(
      refusal('ERR value is not an integer or out of range'),
    );
    await expect(database.call('GET')).rejects.toMatchObject({ code: 'COMMAND_REFUSED' });
    await expect(database.call('NOSUCH')).rejects.toMatchObject(refusal("ERR unknown command 'NOSUCH'"));
    expect(engine.sequence).toBe(sequence);
  });

  it('make one batch as a transaction, or nothing', async () => {
    const replies = await database.transaction([
      ['SET', 'a', '1'],
      ['INCR', 'a'],
      ['LPUSH', 'l', 'x', 'y'],
    ]);
    expect(replies).toEqual(['OK', 2, 2]);
    expect(logged()).toHaveLength(1);
    await expect(
      database.transaction([
        ['SET', 'a', '9'],
        ['LPUSH', 'a', 'x'],
      ]),
    ).rejects.toMatchObject({ code: 'COMMAND_REFUSED' });
    expect(await database.call('GET', 'a')).toBe('2');
    expect(await database.transaction([])).toEqual([]);
  });

  it('keep namespaces apart', async () => {
    const other = new Database(engine, { namespace: 'other' });
    await database.call('SET', 'k', 'mine');
    await other.call('SET', 'k', 'theirs');
    expect([await database.call('GET', 'k'), await other.call('GET', 'k')]).toEqual(['mine', 'theirs']);
  });
});
