import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Engine } from '../../src/engine/index.js';
import { parseRedisUrl, ReplyError, RespConnection } from '../../src/resp/index.js';
import { Server } from '../../src/server/index.js';
import { type RedisService, startRedis, throwAwayDirectory } from '../services/index.js';

/** Wrong calls, and what brings about the state for them. They build on each other. */
const calls = [
  'GET',
  'GET a b',
  'SET k',
  'SET k v EX',
  'SET k v EX abc',
  'SET k v NX XX',
  'SET k v FOO',
  'SETEX k 0 v',
  'SETEX k x v',
  'INCR k1',
  'SET s abc',
  'INCR s',
  'INCRBY s x',
  'SET big 9223372036854775807',
  'INCR big',
  'INCRBYFLOAT s 1',
  'INCRBYFLOAT big x',
  'LPUSH s a',
  'HGET s a',
  'SADD s a',
  'ZADD s 1 a',
  'XADD s * a b',
  'LPUSH l a',
  'GET l',
  'INCR l',
  'APPEND l a',
  'SETRANGE l 0 a',
  'STRLEN l',
  'GETRANGE l 0 1',
  'SETRANGE s -1 a',
  'SETBIT s -1 1',
  'SETBIT s 1 2',
  'SETBIT s abc 1',
  'GETBIT s abc',
  'BITCOUNT s 1',
  'BITCOUNT s a b',
  'BITOP NOT d a b',
  'BITOP FOO d a',
  'BITPOS s 2',
  'LSET l 5 x',
  'LSET none 0 x',
  'LSET l x y',
  'LINSERT l FOO a b',
  'LPOP l -1',
  'LPOP l abc',
  'LPOP l 1 2',
  'LRANGE l a b',
  'LREM l x a',
  'LPOS l a RANK 0',
  'LPOS l a COUNT -1',
  'LMOVE l l UP DOWN',
  'LMPOP 0 l LEFT',
  'LMPOP 1 l FOO',
  'HSET h a',
  'HSET h a 1 b',
  'HINCRBY h a x',
  'HSET h a abc',
  'HINCRBY h a 1',
  'HINCRBYFLOAT h a 1',
  'HINCRBYFLOAT h b x',
  'HSCAN h abc',
  'SSCAN st abc',
  'SCAN abc',
  'SCAN 0 COUNT 0',
  'SCAN 0 COUNT x',
  'SCAN 0 FOO',
  'SCAN 0 TYPE',
  'ZADD z x a',
  'ZADD z 1',
  'ZADD z NX XX 1 a',
  'ZADD z GT LT 1 a',
  'ZADD z INCR 1 a 2 b',
  'ZADD z nan a',
  'ZINCRBY z x a',
  'ZADD z inf i',
  'ZINCRBY z -inf i',
  'ZRANGE z a b',
  'ZRANGE z 0 1 LIMIT 0 1',
  'ZRANGEBYSCORE z a b',
  'ZRANGEBYSCORE z 0 1 LIMIT a b',
  'ZRANGEBYLEX z a b',
  'ZUNIONSTORE d 0 z',
  'ZUNIONSTORE d x z',
  'ZUNIONSTORE d 1 z WEIGHTS x',
  'ZUNIONSTORE d 1 z AGGREGATE FOO',
  'ZUNIONSTORE d 2 z',
  'ZINTERCARD 0 z',
  'ZINTERCARD 1 z LIMIT -1',
  'ZMPOP 1 z FOO',
  'ZPOPMIN z -1',
  'ZPOPMIN z a',
  'ZRANDMEMBER z a',
  'SPOP st -1',
  'SRANDMEMBER st a',
  'SINTERCARD 0 st',
  'SINTERCARD x st',
  'SMOVE s st a',
  'EXPIRE s abc',
  'EXPIRE s 10 FOO',
  'EXPIRE s 10 NX XX',
  'EXPIRE s 9223372036854775807',
  'PEXPIRE s 9223372036854775807',
  'RENAME nokey x',
  'COPY s s',
  'OBJECT FOO s',
  'OBJECT ENCODING none',
  'SORT l BY',
  'SORT s',
  'SORT l LIMIT a b',
  'XADD x abc f v',
  'XADD x 0-0 f v',
  'XADD x 5-5 f v',
  'XADD x 5-4 f v',
  'XADD x * f',
  'XRANGE x a b',
  'XREAD STREAMS x',
  'XREAD COUNT a STREAMS x 0',
  'XREADGROUP GROUP g c STREAMS x >',
  'XGROUP CREATE none g 0',
  'XGROUP CREATE x g 0',
  'XGROUP CREATE x g 0',
  'XGROUP FOO x g',
  'XGROUP SETID x nog 0',
  'XACK x g abc',
  'XPENDING x nog',
  'XCLAIM x nog c 0 1-1',
  'XSETID x 1-1',
  'XTRIM x FOO 1',
  'XTRIM x MAXLEN a',
  'XINFO STREAM none',
  'XINFO GROUPS none',
  'GEOADD g 200 0 a',
  'GEOADD g a b c',
  'GEODIST g a b foo',
  'GEOSEARCH g FROMMEMBER a BYRADIUS 1 km',
  'MULTI',
  'SET a',
  'EXEC',
  'EXEC',
  'DISCARD',
  'WATCH',
  'MULTI',
  'MULTI',
  'DISCARD',
  'CONFIG',
  'CONFIG GET',
  'CONFIG FOO',
  'CONFIG SET nosuch 1',
  'CONFIG SET maxclients abc',
  'CLIENT',
  'CLIENT FOO',
  'CLIENT KILL ID abc',
  'CLIENT SETNAME "a b"',
  'CLIENT PAUSE abc',
  'CLIENT UNBLOCK abc',
  'SLOWLOG FOO',
  'SLOWLOG GET abc',
  'COMMAND FOO',
  'COMMAND GETKEYS GET',
  'COMMAND GETKEYS PING',
  'SELECT abc',
  'SELECT 20',
  'AUTH a b c',
  'HELLO 4',
  'HELLO abc',
  'ECHO',
  'PING a b',
  'TIME a',
  'DUMP',
  'RESTORE k 0 abc',
  'RESTORE s 0 abc',
  'GETEX s EX',
  'GETEX s FOO',
  'GETDEL l',
  'MSET a',
  'MSETNX a b c',
  'LCS s l',
  'LCS s s LEN IDX',
  'BLPOP l abc',
  'BLPOP l -1',
  'BLMOVE l l LEFT RIGHT abc',
  'BZPOPMIN z x',
  'BITFIELD s GET u64 0',
  'BITFIELD s SET u8 0',
  'BITFIELD s GET x8 0',
  'BITFIELD s OVERFLOW FOO',
  'BITFIELD_RO s SET u8 0 1',
  'RANDOMKEY x',
  'FLUSHDB FOO',
  'FLUSHALL FOO',
  'TYPE',
  'KEYS',
  'SUBSTR l 0 1',
];

/** Where the words are Kvrocks', or the limit is ours: what is refused is the same. */
const ownWords = [
  'NOSUCH a b',
  'SET k v EX 0',
  'SET k v PX -1',
  'SET k v EX 9223372036854775807',
  'SETRANGE s 600000000 a',
  'PFADD s a',
  'PFMERGE d s',
  'AUTH x',
];

describe('what is refused', () => {
  const directory = throwAwayDirectory('error-texts');
  let engine: Engine;
  let server: Server;
  let service: RedisService;
  let ours: RespConnection;
  let theirs: RespConnection;

  beforeAll(async () => {
    engine = await Engine.open(directory.path, { sync: 'none' });
    server = await Server.listen(engine, { port: 0 });
    service = await startRedis();
    ours = await RespConnection.open({ host: '127.0.0.1', port: server.port });
    theirs = await RespConnection.open(parseRedisUrl(service.url));
    for (const connection of [ours, theirs]) await connection.call('SET', 's', 'abc');
  });
  afterAll(async () => {
    ours.close();
    theirs.close();
    await server.close();
    await engine.close();
    await service.stop();
    directory.remove();
  });

  const refusalOf = async (connection: RespConnection, line: string): Promise<string | undefined> => {
    const words = [...line.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain ?? '');
    const reply = await connection.call(...words);
    return reply instanceof ReplyError ? reply.message : undefined;
  };

  it('is refused in the words of Redis, which clients match on', async () => {
    const different: unknown[] = [];
    for (const line of calls) {
      const [mine, expected] = [await refusalOf(ours, line), await refusalOf(theirs, line)];
      if (mine !== expected) different.push({ line, mine, expected });
    }
    expect(different).toEqual([]);
  });

  it('is refused by both where the words differ', async () => {
    for (const line of ownWords) {
      expect(await refusalOf(theirs, line), line).toBeDefined();
      expect(await refusalOf(ours, line), line).toMatch(/^(ERR|WRONGTYPE) /);
    }
  });
});
