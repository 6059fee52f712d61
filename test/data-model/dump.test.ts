import { Redis } from 'ioredis';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { crc64 } from '../../src/bytes/index.js';
import { sealDump } from '../../src/data-model/commands/dump/dump-payload.js';
import { type RedisService, startRedis } from '../services/index.js';
import { CommandClient } from '../support/command-client.js';
import { SeededRandom } from '../support/seeded-random.js';

/** Small and large, numbers that Redis packs, text that it compresses, any bytes. */
const randomValue = (random: SeededRandom): Buffer => {
  switch (random.below(8)) {
    case 0:
      return Buffer.from(`${random.below(2 ** 32) - 2 ** 31}`);
    case 1:
      return Buffer.from(`${random.below(2 ** 16) - 2 ** 15}`);
    case 2:
      return Buffer.from(`${(random.below(2) * 2 - 1) * (random.below(2 ** 31) * 2 ** 22 + 1)}`);
    case 3:
      return Buffer.from('abcdefgh'.slice(0, 1 + random.below(8)).repeat(random.below(400)));
    case 4:
      return Buffer.from(`${random.below(200) - 100}`);
    case 5:
      return random.bytes(random.below(300));
    default:
      return random.bytes(random.below(60));
  }
};

/** A command that fills the key with some values of a type. */
const fill = (random: SeededRandom): readonly (string | Buffer)[] => {
  const count = random.pick([1, 3, 20, 150]);
  const values = Array.from({ length: count }, () => randomValue(random));
  switch (random.below(6)) {
    case 0:
      return ['SET', 'k', randomValue(random)];
    case 1:
      return ['RPUSH', 'k', ...values];
    case 2:
      return ['SADD', 'k', ...values];
    case 3:
      return ['SADD', 'k', ...values.map(() => `${random.below(2 ** 31) * random.pick([1, 2 ** 20])}`)];
    case 4:
      return ['HSET', 'k', ...values.flatMap((value) => [value, randomValue(random)])];
    default:
      return [
        'ZADD',
        'k',
        ...values.flatMap((value) => [
          random.pick([`${random.below(100)}`, `${random.next() - 0.5}`, '-inf', '1e300']),
          value,
        ]),
      ];
  }
};

describe('DUMP and RESTORE', () => {
  let service: RedisService;
  let redis: Redis;
  let client: CommandClient;

  beforeAll(async () => {
    service = await startRedis();
    redis = new Redis(service.url);
  });
  afterAll(async () => {
    redis.disconnect();
    await service.stop();
  });
  beforeEach(() => {
    client = new CommandClient();
  });

  const dump = (): Buffer => Buffer.from(String(client.run('DUMP', 'k')), 'latin1');

  it('carry values between us and a Redis, both ways', async () => {
    const random = SeededRandom.fromEnvironment('dumps');
    for (let round = 0; round < 120; round++) {
      client = new CommandClient();
      const [name, ...args] = fill(random);
      await redis.del('k');
      await redis.call(String(name), ...args);
      const theirs = await redis.dumpBuffer('k');
      expect(client.run('RESTORE', 'k', '0', theirs, 'REPLACE'), `round ${round}`).toBe('OK');
      await redis.del('k');
      expect(await redis.restore('k', 0, dump()), `round ${round}`).toBe('OK');
      await redis.rename('k', 'back');
      await redis.restore('k', 0, theirs);
      const type = await redis.type('k');
      if (type === 'set')
        expect([await redis.sdiff('k', 'back'), await redis.sdiff('back', 'k')]).toEqual([[], []]);
      else if (type === 'hash')
        expect(await redis.hgetallBuffer('back')).toEqual(await redis.hgetallBuffer('k'));
      else if (type === 'list')
        expect(await redis.lrangeBuffer('back', 0, -1)).toEqual(await redis.lrangeBuffer('k', 0, -1));
      else if (type === 'zset')
        expect(await redis.callBuffer('ZRANGE', 'back', '0', '-1', 'WITHSCORES')).toEqual(
          await redis.callBuffer('ZRANGE', 'k', '0', '-1', 'WITHSCORES'),
        );
      else expect(await redis.getBuffer('back')).toEqual(await redis.getBuffer('k'));
    }
  });

  it('take a bitmap for the string that it is to Redis', async () => {
    client.run('SETBIT', 'k', '7', '1');
    client.run('SETBIT', 'k', '9000', '1');
    await redis.restore('bits', 0, dump());
    expect(await redis.bitcount('bits')).toBe(2);
    expect(await redis.getbit('bits', 9000)).toBe(1);
  });

  const ziplist = (...entries: number[][]): Buffer =>
    Buffer.concat([Buffer.alloc(10), ...entries.map((entry) => Buffer.from(entry)), Buffer.of(0xff)]);
  const asString = (bytes: Buffer): Buffer => Buffer.concat([Buffer.of(bytes.length), bytes]);

  it.each([
    [
      'a list in a ziplist',
      10,
      [
        [0, 0xf3],
        [2, 0x02, 0x68, 0x69],
        [4, 0xfe, 0x80],
        [0xfe, 4, 0, 0, 0, 0xc0, 0xff, 0x7f],
      ],
      ['LRANGE', 'k', '0', '-1'],
      ['2', 'hi', '-128', '32767'],
    ],
    [
      'a sorted set in a ziplist',
      12,
      [
        [0, 1, 0x61],
        [3, 0xf2],
        [2, 1, 0x62],
        [3, 0xf9],
      ],
      ['ZRANGE', 'k', '0', '-1', 'WITHSCORES'],
      ['a', '1', 'b', '8'],
    ],
    [
      'a hash in a ziplist',
      13,
      [
        [0, 1, 0x66],
        [3, 1, 0x76],
      ],
      ['HGETALL', 'k'],
      ['f', 'v'],
    ],
  ] as const)('read %s, as older versions wrote them', (_, type, entries, read, expected) => {
    const content = Buffer.concat([
      Buffer.of(type),
      asString(ziplist(...entries.map((entry) => [...entry]))),
    ]);
    expect(client.run('RESTORE', 'k', '0', sealDump([content]))).toBe('OK');
    expect(client.run(...read)).toEqual(expected);
  });

  it('read zipmaps, and sorted sets with scores as text', () => {
    const zipmap = Buffer.from([1, 1, 0x66, 2, 1, 0x76, 0x77, 0x00, 0xff]);
    expect(client.run('RESTORE', 'h', '0', sealDump([Buffer.of(9), asString(zipmap)]))).toBe('OK');
    expect(client.run('HGETALL', 'h')).toEqual(['f', 'vw']);
    const texts = Buffer.from([3, 2, 1, 0x61, 3, 0x31, 0x2e, 0x35, 1, 0x62, 254]);
    expect(client.run('RESTORE', 'z', '0', sealDump([texts]))).toBe('OK');
    expect(client.run('ZRANGE', 'z', '0', '-1', 'WITHSCORES')).toEqual(['a', '1.5', 'b', 'inf']);
  });

  it('refuse what is damaged, and change nothing', () => {
    const random = SeededRandom.fromEnvironment('damaged dumps');
    for (let round = 0; round < 150; round++) {
      client = new CommandClient();
      client.run(...fill(random));
      const payload = dump();
      const at = random.below(payload.length - 10);
      const content = Buffer.from(payload.subarray(0, -10));
      content[at] = random.below(256);
      const cut = content.subarray(0, random.pick([content.length, 1 + random.below(content.length)]));
      const reply = client.run('RESTORE', 'other', '0', sealDump([cut]), 'REPLACE');
      expect(['OK', 'error ERR Bad data format']).toContain(reply);
      payload[at] ^= 0x10;
      expect(client.run('RESTORE', 'other2', '0', payload)).toBe(
        'error ERR DUMP payload version or checksum are wrong',
      );
      expect(client.run('EXISTS', 'other2')).toBe(0);
    }
  });

  it('keep to expiry times, and to keys that are there', async () => {
    client.run('SET', 'k', 'v');
    const payload = dump();
    const later = `${Date.now() + 100_000}`;
    expect(client.run('RESTORE', 'k', '0', payload)).toBe('error BUSYKEY Target key name already exists.');
    expect(client.run('RESTORE', 'k', '-1', payload, 'REPLACE')).toBe(
      'error ERR Invalid TTL value, must be >= 0',
    );
    expect(client.run('RESTORE', 'k', later, payload, 'REPLACE', 'ABSTTL', 'IDLETIME', '5')).toBe('OK');
    expect(client.run('PEXPIRETIME', 'k')).toBe(Number(later));
    expect(client.run('RESTORE', 'k', '1', payload, 'REPLACE', 'ABSTTL')).toBe('OK');
    expect(client.run('EXISTS', 'k')).toBe(0);
    expect(client.run('DUMP', 'k')).toBe(null);
    expect(client.run('RESTORE', 'k', '0', payload, 'SOON')).toBe('error ERR syntax error');
  });

  it('end with the CRC-64 that Redis has', () => {
    expect(crc64(Buffer.from('123456789'))).toBe(0xe9c6d914c4b8d9can);
  });
});
