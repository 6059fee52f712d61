import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { placeOfCommand } from '../../sinks/redis/command-places.js';
import { RedisSink, type RedisSinkOptions } from '../../sinks/redis/index.js';
import {
  appendRecordsAfter,
  CommandEncoder,
  cutRecords,
  KeyRecordsWriter,
  type Transaction,
} from '../../src/data-model/index.js';
import type { Claim, SinkBatch } from '../../src/kit/index.js';
import { ByteWriter, RequestParser, RespConnection } from '../../src/resp/index.js';
import { CommandClient } from '../support/command-client.js';
import { pluginContext } from '../support/plugin-context.js';
import { readRedisState } from '../support/redis-state.js';
import { SeededRandom } from '../support/seeded-random.js';
import { TestRedis } from '../support/test-redis.js';

const signal = new AbortController().signal;
const position = { sequence: 1, count: 0, crc: 7 };

/** All keys of a store, as a migration reads them. */
const wholeKeys = ({ store }: CommandClient): Transaction[] => {
  const out = new KeyRecordsWriter(1024);
  const limit = { maxKeys: 100_000, maxBytes: 100_000_000, nowMs: Date.now() };
  appendRecordsAfter(store, Buffer.alloc(0), limit, out);
  return cutRecords(Buffer.from(out.bytes), 1).map(({ transaction }) => transaction);
};

const batchOf = (client: CommandClient): SinkBatch => ({
  transactions: wholeKeys(client),
  position,
  previous: null,
  byteLength: 1000,
});

const randomWord = (random: SeededRandom): Buffer =>
  random.pick([
    () => random.bytes(random.below(64)),
    () => random.bytes(random.pick([0, 1, 62, 63])),
    () => Buffer.from(`${random.below(1_000_000) - 500_000}`),
    () => Buffer.from(random.pick(['', '-0', '007', '1.5', '9223372036854775807', 'CR\r\nLF'])),
  ])();

describe('the redis sink, given whole hashes', () => {
  const redis = new TestRedis();
  let connection: RespConnection;
  const sinks: RedisSink[] = [];

  beforeEach(async () => {
    connection = await RespConnection.open({ host: '127.0.0.1', port: redis.port });
    // Whatever is restored is looked through to the last byte.
    await connection.call('CONFIG', 'SET', 'sanitize-dump-payload', 'yes');
    await connection.call('CONFIG', 'RESETSTAT');
  });
  afterEach(async () => {
    for (const sink of sinks.splice(0)) await sink[Symbol.asyncDispose]();
    connection.close();
  });

  const claimed = async (options: Partial<RedisSinkOptions> = {}): Promise<[RedisSink, Claim]> => {
    const defaults = { url: redis.url, password: '', positionKey: 'position', namespaces: { default: '' } };
    const sink = new RedisSink({ ...defaults, ...options }, pluginContext());
    sinks.push(sink);
    return [sink, await sink.claim(signal)];
  };

  const callsOf = async (command: string): Promise<number> => {
    const stats = String(await connection.call('INFO', 'commandstats'));
    return Number(new RegExp(`^cmdstat_${command}:calls=(\\d+)`, 'm').exec(stats)?.[1] ?? 0);
  };

  it('restores the small ones, and makes of all of them what the same commands make', async () => {
    const random = SeededRandom.fromEnvironment('dumps of hashes');
    const client = new CommandClient();
    for (let at = 0; at < 300; at++) {
      const count = random.pick([1, 2, 20, 150]);
      const words = Array.from({ length: 2 * count }, () => randomWord(random));
      client.run('HSET', `hash ${at}`, ...words);
      if (at % 5 === 0) client.run('HSET', `hash ${at}`, 'long', 'v'.repeat(random.pick([64, 65, 5000])));
      if (at % 3 === 0) client.run('PEXPIREAT', `hash ${at}`, `${4_000_000_000_000 + at}`);
    }
    client.run('HSET', 'of many fields', ...Array.from({ length: 6000 }, (_, at) => `${at}`));
    client.run('RPUSH', 'list', 'a', 'b');
    client.run('SADD', 'set', 'a', 'b');
    client.run('SET', 'string', 's');

    const out = new ByteWriter();
    const encoder = new CommandEncoder();
    let replies = 0;
    for (const transaction of wholeKeys(client))
      replies += encoder.append(out, { changes: transaction.changes });
    await connection.send(out.take(), replies);
    const expected = await readRedisState(connection);
    const encoding = String(await connection.call('OBJECT', 'ENCODING', 'hash 1'));

    // The keys that stand there are replaced: with other fields in them, and of another type.
    await connection.call('HSET', 'hash 0', 'not of the source', 'v');
    await connection.call('DEL', 'hash 1');
    await connection.call('RPUSH', 'hash 1', 'not a hash');
    await connection.call('CONFIG', 'RESETSTAT');
    const [sink, claim] = await claimed();
    expect(await sink.write(batchOf(client), claim)).toEqual({ kind: 'durable' });
    await connection.call('DEL', 'position');
    expect(await readRedisState(connection)).toEqual(expected);
    expect(String(await connection.call('OBJECT', 'ENCODING', 'hash 1'))).toBe(encoding);
    expect(await callsOf('restore')).toBeGreaterThan(200);
  });

  it('makes them by commands where it may not restore', async () => {
    await connection.call('ACL', 'SETUSER', 'poor', 'on', '>p', '~*', '&*', '+@all', '-restore');
    const client = new CommandClient();
    client.run('HSET', 'h', 'f', 'v');
    const [sink, claim] = await claimed({ url: redis.url.replace('//', '//poor:p@') });
    expect(await sink.write(batchOf(client), claim)).toEqual({ kind: 'durable' });
    expect(await connection.call('HGET', 'h', 'f')).toEqual(Buffer.from('v'));
    expect(await callsOf('restore')).toBe(0);
  });

  it('leaves nothing behind of having asked', async () => {
    await claimed();
    expect(await connection.call('KEYS', '*')).toEqual([Buffer.from('position')]);
  });

  it('knows which keys each of its commands was for', () => {
    const client = new CommandClient();
    for (const key of ['a', 'b', 'c']) client.run('SET', key, 's');
    client.run('HSET', 'd', 'f', 'v', 'g', 'w');
    client.run('HSET', 'e', 'x', 'y');
    client.run('HSET', 'f', 'z', 'z'.repeat(100));
    client.run('PEXPIREAT', 'f', '4000000000000');
    client.run('RPUSH', 'g', 'e', 'e');
    client.run('SET', 'h', 's', 'PXAT', '4000000000000');
    const transactions = wholeKeys(client);
    const encoder = new CommandEncoder({ restoreHashes: true, foldSets: true });
    const out = new ByteWriter();
    for (const transaction of transactions) encoder.append(out, transaction);
    const parser = new RequestParser();
    parser.feed(out.take());
    let command = 0;
    for (; parser.next(); command++) {
      const words = parser.args;
      const isMany = String(words[0]) === 'MSET';
      const named = words.filter((_, at) => (isMany ? at % 2 === 1 : at === 1)).map(String);
      const place = placeOfCommand(transactions, command, encoder);
      if (place === undefined) throw new Error(`no place of ${named}`);
      const changes = transactions[place.transaction].changes.slice(place.from, place.to);
      const keys = changes.flatMap((change) => ('key' in change ? [Buffer.from(change.key).toString()] : []));
      expect([...new Set(keys)], `${command}: ${words[0]}`).toEqual(named);
    }
    expect(command).toBe(1 + 1 + 1 + 3 + 2 + 1);
    expect(placeOfCommand(transactions, command, encoder)).toBeUndefined();
  });
});
