import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RespConnection } from '../../src/resp/index.js';
import { type RedisService, startRedis } from '../services/index.js';
import { RawClient } from '../support/raw-client.js';
import { replyText } from '../support/reply-text.js';
import { useServer } from '../support/use-server.js';

const names = (
  'get append mset mget exists del rename lmove blmove blpop blmpop zmpop lpush hgetall hset smove sunion sunionstore ' +
  'zadd zrangestore zunionstore zinter zintercard bitop pfmerge pfcount watch copy lcs geosearchstore xadd xread xautoclaim expire ping'
).split(' ');

const comparedFlags = new Set(['readonly', 'write', 'blocking', 'movablekeys']);

type Info = readonly [
  string,
  number,
  string[],
  number,
  number,
  number,
  string[],
  string[],
  unknown[][],
  unknown[],
];

/** Without what says how they are implemented, and what people are told beside it. */
const comparable = (info: Info): unknown => [
  ...[info.length, info[0], info[1], info[2].filter((flag) => comparedFlags.has(flag)).sort()],
  ...info.slice(3, 6),
  info[0].startsWith('xread') ? [] : info[8].map(specOf), // its keyword is left to COMMAND GETKEYS
];

const specOf = (spec: unknown[]): unknown => spec.slice(spec.indexOf('flags'));

describe('COMMAND INFO', () => {
  const served = useServer('command-info', { engine: { sync: 'none' } });
  let redis: RedisService;
  let theirs: RespConnection;
  beforeAll(async () => {
    redis = await startRedis();
    theirs = await RespConnection.open({ host: '127.0.0.1', port: redis.port });
  });
  afterAll(async () => {
    theirs.close();
    await redis.stop();
  });

  it('tells where the keys of a command are, and what it does with them, as Redis does', async () => {
    const told = async (client: RespConnection): Promise<unknown> =>
      (replyText(await client.call('COMMAND', 'INFO', ...names)) as Info[]).map(comparable);
    expect(await told(served.client)).toEqual(await told(theirs));
    expect(replyText(await served.client.call('COMMAND', 'INFO', 'nosuch', 'ping'))).toEqual([
      null,
      ['ping', -1, ['fast'], 0, 0, 0, [], [], [], []],
    ]);
  });

  it('has sets and maps in RESP3', async () => {
    const client = await RawClient.open(served.server.port);
    const spec =
      '%3\r\n$5\r\nflags\r\n~2\r\n+RO\r\n+access\r\n' +
      '$12\r\nbegin_search\r\n%2\r\n$4\r\ntype\r\n$5\r\nindex\r\n$4\r\nspec\r\n%1\r\n$5\r\nindex\r\n:1\r\n' +
      '$9\r\nfind_keys\r\n%2\r\n$4\r\ntype\r\n$5\r\nrange\r\n$4\r\nspec\r\n%3\r\n' +
      '$7\r\nlastkey\r\n:0\r\n$7\r\nkeystep\r\n:1\r\n$5\r\nlimit\r\n:0\r\n';
    const info = `*1\r\n*10\r\n$3\r\nget\r\n:2\r\n~2\r\n+readonly\r\n+fast\r\n:1\r\n:1\r\n:1\r\n~0\r\n~0\r\n~1\r\n${spec}~0\r\n`;
    client.write('HELLO 3\r\nCOMMAND INFO get\r\nQUIT\r\n');
    expect((await client.readToEnd()).toString()).toContain(`${info}+OK\r\n`);
  });
});
