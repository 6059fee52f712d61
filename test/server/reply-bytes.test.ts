import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Engine } from '../../src/engine/index.js';
import { encodeCommand, type Reply, RespConnection } from '../../src/resp/index.js';
import { Server } from '../../src/server/index.js';
import { type RedisService, startRedis, throwAwayDirectory } from '../services/index.js';
import { RawClient } from '../support/raw-client.js';

/** Calls that build on each other, and are answered alike; times and what is chance are left out. */
const calls = `
XADD x 1-1 f v
XADD x 2-1 f v g w
XADD x 3-1 f v
XREAD STREAMS x 1-1
XREAD COUNT 1 STREAMS x nosuch 0 0
XREAD COUNT 9223372036854775807 STREAMS x 2
XREAD BLOCK x STREAMS x 0
COMMAND INFO nosuch
SLOWLOG LEN x
SLOWLOG nosuch
XGROUP CREATE x g 0
XREADGROUP GROUP g c STREAMS x >
XREADGROUP GROUP g c STREAMS x 0
XREADGROUP GROUP g c STREAMS x >
XRANGE x - + COUNT 9223372036854775807
XPENDING x g
XGROUP CREATECONSUMER x g c d
XGROUP DELCONSUMER x g
XGROUP DESTROY x g h
XINFO STREAM nosuch FULL
XINFO STREAM x FULL COUNT
XINFO STREAM x FULL COUNT many
XSETID x 5-5 MAXDELETEDID 6-6
XSETID x 5-5 ENTRIESADDED 0
XTRIM x MAXLEN 9223372036854775807
GEOADD geo 13.361389 38.115556 Palermo 15.087269 37.502669 Catania
GEOPOS geo Palermo nowhere Catania
GEOADD geo -inf 1e21 nowhere
GEOSEARCH geo FROMLONLAT 15 37 BYBOX 400 400 km ASC WITHCOORD WITHDIST WITHHASH
GEOSEARCH geo FROMMEMBER Palermo BYBOX -1 400 km
GEOSEARCH geo FROMLONLAT 15 37 BYRADIUS 200 km COUNT 9223372036854775807 ASC
GEORADIUS geo 15 37 200 km WITHDIST STORE near
GEORADIUSBYMEMBER geo Palermo 200 km WITHCOORD ASC
ZADD z 1 a 2 b 1e400 c
ZADD z 1 a 2 b 3 c
ZRANGE z 0 9223372036854775807 WITHSCORES
ZRANGE z -inf +inf BYSCORE LIMIT 0 9223372036854775807
ZRANGE z -9223372036854775808 0
ZREMRANGEBYRANK z 2 9223372036854775807
ZPOPMIN z
ZPOPMAX z 5
ZINTERCARD 1 z LIMIT -1
RPUSH l a b c d
LRANGE l -9223372036854775808 9223372036854775807
LINDEX l 9223372036854775807
LSET l -9223372036854775808 x
LTRIM l 1 9223372036854775807
LREM l -9223372036854775808 b
LPOS l c MAXLEN 9223372036854775807
SET s hello
GETRANGE s -9223372036854775808 2
GETRANGE s 1 9223372036854775807
BITCOUNT s 0 9223372036854775807
COPY s t DB 99
COPY s t DB 0
EXPIREAT s 4000000000000
EXPIRETIME s
PEXPIRE s 9000000000000000 GT
SETEX s 9223372036854775807 v
PSETEX s 0 v
SORT l ALPHA LIMIT 0 9223372036854775807
HSET h f v g w
HGETALL h
HRANDFIELD h 2 WITHVALUES
HSCAN h x COUNT 0
SCAN x MATCH
SADD members a
SMEMBERS members
SPOP members 1
ZADD z 1.5 a
ZSCORE z a
ZMSCORE z a b
ZADD z INCR 1 a
ZRANDMEMBER z 1 WITHSCORES
ZADD z 1e20 a 9.5367431640625e-07 b
ZMSCORE z a b
OBJECT nosuch s
OBJECT ENCODING
OBJECT ENCODING nosuch
`
  .trim()
  .split('\n')
  .map((line) => line.split(' '));

const marker = '$6\r\nmarker\r\n';

/** The very bytes that answer each call. */
const answers = async (port: number, protocol: string): Promise<string[]> => {
  const client = await RawClient.open(port);
  let received = '';
  let arrived: () => void = () => undefined;
  client.socket.on('data', (chunk: Buffer) => {
    received += chunk.toString('latin1');
    if (received.endsWith(marker)) arrived();
  });
  const ask = async (words: readonly string[]): Promise<string> => {
    received = '';
    const whole = new Promise<void>((resolve) => {
      arrived = resolve;
    });
    client.write(Buffer.concat([encodeCommand(...words), encodeCommand('ECHO', 'marker')]));
    await whole;
    return received.slice(0, -marker.length);
  };
  try {
    await ask(['HELLO', protocol]);
    await ask(['FLUSHALL']);
    const all: string[] = [];
    for (const words of calls) all.push(`${words.join(' ')}: ${await ask(words)}`);
    return all;
  } finally {
    client.close();
  }
};

const shown = (reply: Reply): unknown => {
  if (Buffer.isBuffer(reply)) return reply.toString();
  return Array.isArray(reply) ? reply.map(shown) : reply;
};

describe('the bytes of replies', () => {
  const directory = throwAwayDirectory('reply-bytes');
  let redis: RedisService;
  let engine: Engine;
  let server: Server;
  beforeAll(async () => {
    redis = await startRedis();
    engine = await Engine.open(directory.path, { sync: 'none' });
    server = await Server.listen(engine, { port: 0 });
  });
  afterAll(async () => {
    await server.close();
    await engine.close();
    await redis.stop();
    directory.remove();
  });

  it.each(['2', '3'])('are those of Redis in RESP%s', async (protocol) => {
    expect(await answers(server.port, protocol)).toEqual(await answers(redis.port, protocol));
  });

  it('tell of a stream in full, with its groups and consumers', async () => {
    await answers(server.port, '2');
    const client = await RespConnection.open({ host: '127.0.0.1', port: server.port });
    const told = JSON.stringify(shown(await client.call('XINFO', 'STREAM', 'x', 'FULL', 'COUNT', '1')));
    client.close();
    expect(JSON.parse(told.replace(/\b\d{13}\b/g, '"time"'))).toEqual([
      ...['length', 3, 'last-generated-id', '3-1', 'max-deleted-entry-id', '0-0', 'entries-added', 3],
      ...['recorded-first-entry-id', '1-1', 'entries', [['1-1', ['f', 'v']]]],
      'groups',
      [
        [
          ...['name', 'g', 'last-delivered-id', '3-1', 'entries-read', 2, 'lag', 0],
          ...['pel-count', 3, 'pending', [['1-1', 'c', 'time', 2]]],
          'consumers',
          [
            [
              ...['name', 'c', 'seen-time', 'time', 'active-time', 'time'],
              ...['pel-count', 3, 'pending', [['1-1', 'time', 2]]],
            ],
          ],
        ],
      ],
    ]);
  });
});
