import { sealDump } from '../../src/data-model/commands/dump/dump-payload.js';
import type { DumpedValue } from '../../src/data-model/commands/dump/dumped-value.js';
import { writeDumpedValue } from '../../src/data-model/commands/dump/rdb-writer.js';
import type { SeededRandom } from './seeded-random.js';

/** A command of a random history, as its words. */
export type RandomCommand = readonly (string | Buffer)[];

type Maker = (random: SeededRandom) => RandomCommand;

/** A few keys for all types, so that histories meet each other and the wrong type. */
const key = (random: SeededRandom): string =>
  random.below(40) === 0 ? random.pick(oddKeys) : `k${random.below(12)}`;
/** Names with what protocols, patterns and notes in the log are made of. */
const oddKeys = ['', 'k 1', 'k\r\n1', 'k\u00001', 'kü*[1]', '{k}1', 'k'.repeat(300)];
const member = (random: SeededRandom): string | Buffer =>
  random.below(20) === 0 ? random.bytes(random.below(6)) : `m${random.below(15)}`;
const value = (random: SeededRandom): string | Buffer => {
  const kind = random.below(10);
  if (kind === 0) return random.bytes(random.below(40));
  if (kind === 1) return '';
  if (kind === 2 && random.below(20) === 0) return 'long '.repeat(random.below(1000));
  return kind < 6 ? `${random.below(2000) - 1000}` : `v${random.below(1000)}`;
};
const index = (random: SeededRandom): string => `${random.below(16) - 8}`;
const count = (random: SeededRandom): string => `${random.below(5)}`;
const score = (random: SeededRandom): string => `${(random.below(64) - 32) / 4 || 0}`;
const scoreBound = (random: SeededRandom): string =>
  random.pick(['-inf', '+inf', score(random), score(random), `(${score(random)}`]);
const lexBound = (random: SeededRandom): string =>
  random.pick(['-', '+', `[m${random.below(15)}`, `(m${random.below(15)}`]);
const some = <Item>(random: SeededRandom, make: (random: SeededRandom) => Item, most = 4): Item[] =>
  Array.from({ length: 1 + random.below(most) }, () => make(random));
/** A place or count as a client may give it: mostly near, now and then as far as 64 bits reach, or no number at all. */
const anyPlace = (random: SeededRandom): string =>
  random.pick([
    index(random),
    index(random),
    '9223372036854775807',
    '-9223372036854775808',
    '9223372036854775808',
  ]);
/** Waits that end at once. */
const briefly = '0.001';
const side = (random: SeededRandom): string => random.pick(['LEFT', 'right']);
const later = (random: SeededRandom): string => `${4_000_000_000 + random.below(1000)}`;
const maybe = <Item>(random: SeededRandom, ...items: Item[]): Item[] => (random.below(2) === 0 ? [] : items);
const withCount = <Item>(items: readonly Item[]): (string | Item)[] => [`${items.length}`, ...items];

const strings: readonly Maker[] = [
  (r) => ['SET', key(r), value(r)],
  (r) => ['SET', key(r), value(r), r.pick(['NX', 'XX', 'KEEPTTL', 'GET'])],
  (r) => ['SET', key(r), value(r), 'EXAT', later(r), ...maybe(r, 'NX')],
  (r) => ['SET', key(r), value(r), r.pick(['EX', 'FOO', 'NX XX'])],
  (r) => ['GET', key(r)],
  (r) => ['SETNX', key(r), value(r)],
  (r) => ['GETSET', key(r), value(r)],
  (r) => ['GETDEL', key(r)],
  (r) => ['GETEX', key(r), ...maybe(r, 'EXAT', later(r))],
  (r) => ['GETEX', key(r), 'PERSIST'],
  (r) => ['GETEX', key(r), 'PXAT', `${later(r)}123`],
  (r) => ['SET', key(r), value(r), 'GET', ...maybe(r, 'XX'), 'PXAT', `${later(r)}123`],
  (r) => ['SET', key(r), value(r), 'NX', 'GET'],
  // Not SET with a time in the past: Redis' DBSIZE counts the key until somebody looks for it.
  (r) => ['GETEX', key(r), r.pick(['EXAT', 'PXAT']), r.pick(['1', '0', '-1', later(r)])],
  (r) => ['SETRANGE', key(r), `${r.below(3000)}`, value(r)],
  (r) => [r.pick(['SETEX', 'PSETEX']), key(r), r.pick(['0', '-1', 'x', '9223372036854775807']), value(r)],
  (r) => [r.pick(['GETRANGE', 'SUBSTR']), key(r), anyPlace(r), anyPlace(r)],
  (r) => ['MGET', ...some(r, key)],
  (r) => ['MSET', ...some(r, key).flatMap((name) => [name, value(r)])],
  (r) => ['MSETNX', ...some(r, key).flatMap((name) => [name, value(r)])],
  (r) => ['MSET', ...some(r, key)],
  (r) => ['APPEND', key(r), value(r)],
  (r) => ['STRLEN', key(r)],
  (r) => ['GETRANGE', key(r), index(r), index(r)],
  (r) => [
    'LCS',
    key(r),
    key(r),
    ...maybe(r, r.pick(['LEN', 'IDX', 'MINMATCHLEN'])),
    ...maybe(r, 'IDX', 'WITHMATCHLEN'),
  ],
  (r) => ['SETRANGE', key(r), index(r), value(r)],
  (r) => ['INCR', key(r)],
  (r) => ['DECR', key(r)],
  (r) => ['INCRBY', key(r), r.pick(['5', '-7', '9223372036854775807', '-9223372036854775808', 'x', '01'])],
  (r) => ['DECRBY', key(r), r.pick(['5', '-7', '9223372036854775807', '-9223372036854775808'])],
];

const keys: readonly Maker[] = [
  (r) => ['DEL', ...some(r, key)],
  (r) => ['UNLINK', key(r)],
  (r) => ['EXISTS', ...some(r, key)],
  (r) => ['TYPE', key(r)],
  (r) => ['EXPIREAT', key(r), later(r), ...maybe(r, r.pick(['NX', 'XX', 'GT', 'LT', 'ZZ']))],
  (r) => ['PEXPIREAT', key(r), `${later(r)}123`],
  (r) => ['PEXPIREAT', key(r), `${later(r)}000`, r.pick(['NX', 'XX', 'GT', 'LT']), ...maybe(r, 'XX')],
  (r) => ['TOUCH', ...some(r, key)],
  (r) => [r.pick(['EXPIREAT', 'PEXPIREAT']), key(r), '1', ...maybe(r, r.pick(['NX', 'XX', 'GT', 'LT']))],
  (r) => ['COPY', key(r), key(r), 'DB', r.pick(['0', '0', 'x']), ...maybe(r, 'REPLACE')],
  (r) => ['EXPIRE', key(r), r.pick(['-1', '0', 'abc', '99999999999999999'])],
  (r) => ['PERSIST', key(r)],
  (r) => ['EXPIRETIME', key(r)],
  (r) => ['PEXPIRETIME', key(r)],
  (r) => ['RENAME', key(r), key(r)],
  (r) => ['RENAMENX', key(r), key(r)],
  (r) => ['COPY', key(r), key(r), ...maybe(r, 'REPLACE')],
  () => ['DBSIZE'],
  (r) => ['KEYS', r.pick(['*', 'k1*', 'k[0-3]', 'k?', '\\k1', 'k[^1]', 'x*'])],
  () => ['SCAN', '0', 'COUNT', '1000'],
  (r) => ['SCAN', '0', 'COUNT', '1000', 'TYPE', r.pick(['hash', 'list', 'set', 'zset'])],
  (r) => (r.below(40) === 0 ? ['FLUSHDB'] : ['EXISTS', key(r)]),
];

/** A value as DUMP tells it. */
const dumped = (random: SeededRandom): Buffer => {
  const names = [...new Set(some(random, () => `m${random.below(15)}`))].map((name) => Buffer.from(name));
  const values: readonly DumpedValue[] = [
    { type: 'string', value: Buffer.from(value(random)) },
    { type: 'list', elements: names },
    { type: 'set', members: names },
    { type: 'hash', fields: names.map((field) => ({ field, value: Buffer.from(value(random)) })) },
    { type: 'zset', members: names.map((name) => ({ member: name, score: Number(score(random)) })) },
  ];
  return sealDump(writeDumpedValue(random.pick(values)));
};

const dumps: readonly Maker[] = [
  (r) => ['RESTORE', key(r), '0', dumped(r), ...maybe(r, 'REPLACE')],
  (r) => ['RESTORE', key(r), `${later(r)}123`, dumped(r), 'REPLACE', 'ABSTTL'],
  (r) => ['RESTORE', key(r), '1', dumped(r), 'REPLACE', 'ABSTTL'],
  (r) => ['EXISTS', key(r)],
];

const hashes: readonly Maker[] = [
  (r) => ['HSET', key(r), ...some(r, member).flatMap((field) => [field, value(r)])],
  (r) => ['HSET', key(r), member(r)],
  (r) => ['HMSET', key(r), member(r), value(r)],
  (r) => ['HSETNX', key(r), member(r), value(r)],
  (r) => ['HSET', key(r), ...some(r, (one) => `f${one.below(60)}`, 40).flatMap((name) => [name, value(r)])],
  (r) => ['HGET', key(r), member(r)],
  (r) => ['HMGET', key(r), ...some(r, member)],
  (r) => ['HGETALL', key(r)],
  (r) => ['HKEYS', key(r)],
  (r) => ['HVALS', key(r)],
  (r) => ['HDEL', key(r), ...some(r, member)],
  (r) => ['HLEN', key(r)],
  (r) => ['HEXISTS', key(r), member(r)],
  (r) => ['HSTRLEN', key(r), member(r)],
  (r) => ['HINCRBY', key(r), member(r), r.pick(['3', '-3', 'x', '9223372036854775807'])],
  (r) => ['HSCAN', key(r), '0', 'COUNT', '1000', ...maybe(r, 'MATCH', 'm1*')],
  (r) => ['HSCAN', key(r), 'x'],
  (r) => ['HRANDFIELD', key(r), ...r.pick([['0'], ['1000'], ['x'], ['1000', 'WITHVALUES']])],
];

const lists: readonly Maker[] = [
  (r) => ['LPUSH', key(r), ...some(r, member)],
  (r) => ['RPUSH', key(r), ...some(r, member)],
  (r) => ['LPUSHX', key(r), member(r)],
  (r) => [r.pick(['LPUSH', 'RPUSH']), key(r), ...some(r, value, 20)],
  (r) => ['RPUSHX', key(r), member(r)],
  (r) => ['LPOP', key(r), ...maybe(r, count(r))],
  (r) => ['RPOP', key(r), ...maybe(r, count(r))],
  (r) => ['LLEN', key(r)],
  (r) => ['LINDEX', key(r), index(r)],
  (r) => ['LRANGE', key(r), index(r), index(r)],
  (r) => ['LRANGE', key(r), '0', '-1'],
  (r) => ['LRANGE', key(r), anyPlace(r), anyPlace(r)],
  (r) => [
    'LPOS',
    key(r),
    member(r),
    ...maybe(r, 'COUNT', '0'),
    'MAXLEN',
    r.pick(['0', '1', '3', '-1', '1000']),
  ],
  (r) => [r.pick(['BLPOP', 'BRPOP']), ...some(r, key), briefly],
  (r) => ['BLMOVE', key(r), key(r), side(r), side(r), briefly],
  (r) => ['BRPOPLPUSH', key(r), key(r), briefly],
  (r) => ['BLMPOP', briefly, ...withCount(some(r, key)), side(r), ...maybe(r, 'COUNT', count(r))],
  (r) => ['LSET', key(r), index(r), member(r)],
  (r) => ['LINSERT', key(r), r.pick(['BEFORE', 'AFTER']), member(r), member(r)],
  (r) => ['LREM', key(r), index(r), member(r)],
  (r) => (r.below(4) === 0 ? ['LTRIM', key(r), index(r), index(r)] : ['LTRIM', key(r), '0', '30']),
  (r) => ['LPOS', key(r), member(r), ...maybe(r, 'RANK', index(r)), ...maybe(r, 'COUNT', count(r))],
  (r) => ['RPOPLPUSH', key(r), key(r)],
  (r) => ['LMOVE', key(r), key(r), side(r), side(r)],
  (r) => ['LMPOP', ...withCount(some(r, key)), side(r), ...maybe(r, 'COUNT', count(r))],
];

const sets: readonly Maker[] = [
  (r) => ['SADD', key(r), ...some(r, member)],
  (r) => ['SREM', key(r), ...some(r, member)],
  (r) => ['SCARD', key(r)],
  (r) => ['SMEMBERS', key(r)],
  (r) => ['SISMEMBER', key(r), member(r)],
  (r) => ['SMISMEMBER', key(r), ...some(r, member)],
  (r) => ['SMOVE', key(r), key(r), member(r)],
  (r) => (r.below(4) === 0 ? ['SPOP', key(r), '1000'] : ['SPOP', key(r), '0']),
  (r) => ['SRANDMEMBER', key(r), '1000'],
  (r) => [r.pick(['SUNION', 'SINTER', 'SDIFF']), ...some(r, key)],
  (r) => [r.pick(['SUNIONSTORE', 'SINTERSTORE', 'SDIFFSTORE']), key(r), ...some(r, key)],
  (r) => ['SINTERCARD', ...withCount(some(r, key)), ...maybe(r, 'LIMIT', count(r))],
  (r) => ['SSCAN', key(r), '0', 'COUNT', '1000'],
];

const zsets: readonly Maker[] = [
  (r) => ['ZADD', key(r), ...some(r, member).flatMap((name) => [score(r), name])],
  (r) => [
    'ZADD',
    key(r),
    ...maybe(r, r.pick(['NX', 'XX', 'GT', 'LT'])),
    ...maybe(r, 'CH'),
    ...maybe(r, 'INCR'),
    score(r),
    member(r),
  ],
  (r) => ['ZADD', key(r), r.pick(['x', 'nan', 'inf', '-inf']), member(r)],
  (r) => ['ZINCRBY', key(r), r.pick([score(r), score(r), 'inf', '-inf', '1e15', 'x']), member(r)],
  (r) => ['ZREM', key(r), ...some(r, member)],
  (r) => ['ZCARD', key(r)],
  (r) => ['ZSCORE', key(r), member(r)],
  (r) => ['ZMSCORE', key(r), ...some(r, member)],
  (r) => [r.pick(['ZRANK', 'ZREVRANK']), key(r), member(r)],
  (r) => [r.pick(['ZRANGE', 'ZREVRANGE']), key(r), index(r), index(r), ...maybe(r, 'WITHSCORES')],
  (r) => [
    'ZRANGE',
    key(r),
    scoreBound(r),
    scoreBound(r),
    'BYSCORE',
    ...maybe(r, 'REV'),
    ...maybe(r, 'WITHSCORES'),
  ],
  (r) => ['ZRANGEBYSCORE', key(r), scoreBound(r), scoreBound(r), ...maybe(r, 'LIMIT', index(r), index(r))],
  (r) => ['ZREVRANGEBYSCORE', key(r), scoreBound(r), scoreBound(r), ...maybe(r, 'WITHSCORES')],
  (r) => ['ZRANGE', key(r), '0', '-1', 'LIMIT', '0', '1'],
  (r) => ['ZRANGE', key(r), anyPlace(r), anyPlace(r), ...maybe(r, 'REV'), ...maybe(r, 'WITHSCORES')],
  (r) => [
    ...['ZRANGE', key(r), scoreBound(r), scoreBound(r), 'BYSCORE', ...maybe(r, 'REV')],
    ...['LIMIT', anyPlace(r), anyPlace(r)],
  ],
  (r) => [
    ...['ZRANGESTORE', key(r), key(r), scoreBound(r), scoreBound(r), 'BYSCORE', ...maybe(r, 'REV')],
    ...maybe(r, 'LIMIT', index(r), index(r)),
  ],
  (r) => ['ZRANDMEMBER', key(r), ...r.pick([['0'], ['1000'], ['x'], ['1000', 'WITHSCORES']])],
  (r) => ['ZINTERCARD', ...withCount(some(r, key)), 'LIMIT', r.pick(['0', '1', '2'])],
  (r) => [r.pick(['BZPOPMIN', 'BZPOPMAX']), ...some(r, key), briefly],
  (r) => [
    'BZMPOP',
    briefly,
    ...withCount(some(r, key)),
    r.pick(['MIN', 'MAX']),
    ...maybe(r, 'COUNT', count(r)),
  ],
  (r) => [
    ...[r.pick(['ZUNION', 'ZINTER']), '2', key(r), key(r), 'WEIGHTS', '0.5', r.pick(['3', '-2', 'inf'])],
    ...['AGGREGATE', r.pick(['SUM', 'MIN', 'MAX']), ...maybe(r, 'WITHSCORES')],
  ],
  (r) => ['ZCOUNT', key(r), scoreBound(r), scoreBound(r)],
  (r) => ['ZRANGESTORE', key(r), key(r), index(r), index(r), ...maybe(r, 'REV')],
  (r) => ['ZREMRANGEBYRANK', key(r), index(r), index(r)],
  (r) => ['ZREMRANGEBYSCORE', key(r), scoreBound(r), scoreBound(r)],
  (r) => [r.pick(['ZPOPMIN', 'ZPOPMAX']), key(r), ...maybe(r, count(r))],
  (r) => ['ZMPOP', ...withCount(some(r, key)), r.pick(['MIN', 'MAX']), ...maybe(r, 'COUNT', count(r))],
  (r) => [
    r.pick(['ZUNIONSTORE', 'ZINTERSTORE']),
    key(r),
    '2',
    key(r),
    key(r),
    ...maybe(r, 'WEIGHTS', '2', '-0.5'),
    ...maybe(r, 'AGGREGATE', r.pick(['SUM', 'MIN', 'MAX'])),
  ],
  (r) => [r.pick(['ZUNION', 'ZINTER', 'ZDIFF']), ...withCount(some(r, key)), ...maybe(r, 'WITHSCORES')],
  (r) => ['ZDIFFSTORE', key(r), ...withCount(some(r, key))],
  (r) => ['ZINTERCARD', ...withCount(some(r, key))],
  (r) => ['ZSCAN', key(r), '0', 'COUNT', '1000'],
];

/** Members of one score, for ranges by member. */
const lexSets: readonly Maker[] = [
  (r) => ['ZADD', 'lex', ...some(r, member).flatMap((name) => ['0', name])],
  (r) => ['ZRANGEBYLEX', 'lex', lexBound(r), lexBound(r), ...maybe(r, 'LIMIT', count(r), index(r))],
  (r) => ['ZREVRANGEBYLEX', 'lex', lexBound(r), lexBound(r)],
  (r) => ['ZRANGE', 'lex', lexBound(r), lexBound(r), 'BYLEX', ...maybe(r, 'REV')],
  (r) => ['ZLEXCOUNT', 'lex', lexBound(r), lexBound(r)],
  (r) => (r.below(5) === 0 ? ['ZREMRANGEBYLEX', 'lex', lexBound(r), lexBound(r)] : ['ZCARD', 'lex']),
];

const bit = (random: SeededRandom): string => `${random.below(2)}`;
const bitmapKey = (random: SeededRandom): string => `bits${random.below(4)}`;
const bitOffset = (random: SeededRandom): string =>
  random.pick([`${random.below(40)}`, `${8000 + random.below(600)}`, `${random.below(20_000)}`]);
const bitRange = (random: SeededRandom): string[] =>
  maybe(random, index(random), index(random), ...maybe(random, random.pick(['BYTE', 'BIT'])));

/** Bitmaps, which are strings to Redis. BITFIELD has keys of its own: Kvrocks' fields lie in other bits. */
const bitmaps: readonly Maker[] = [
  (r) => ['SETBIT', bitmapKey(r), bitOffset(r), bit(r)],
  (r) => ['SETBIT', bitmapKey(r), bitOffset(r), '1'],
  (r) => ['SETBIT', bitmapKey(r), r.pick(['-1', '4294967296', 'x']), '1'],
  (r) => ['GETBIT', bitmapKey(r), bitOffset(r)],
  (r) => ['GET', bitmapKey(r)],
  (r) => ['BITCOUNT', bitmapKey(r), ...bitRange(r)],
  (r) => ['BITPOS', bitmapKey(r), bit(r), ...bitRange(r)],
  (r) => ['BITOP', r.pick(['AND', 'OR', 'XOR']), bitmapKey(r), ...some(r, bitmapKey)],
  (r) => ['BITOP', 'NOT', bitmapKey(r), bitmapKey(r)],
  (r) => (r.below(10) === 0 ? ['DEL', bitmapKey(r)] : ['EXISTS', bitmapKey(r)]),
  (r) => [
    'BITFIELD',
    'fields',
    ...maybe(r, 'OVERFLOW', r.pick(['WRAP', 'SAT', 'FAIL'])),
    ...some(r, () => [
      r.pick(['SET', 'INCRBY']),
      r.pick(['u8', 'i5', 'i64', 'u63', 'u1', 'i64']),
      `${r.pick(['#', ''])}${r.below(30)}`,
      `${r.below(300) - 100}`,
    ]).flat(),
    'GET',
    'i7',
    bitOffset(r),
  ],
];

const stream = (random: SeededRandom): string => `stream${random.below(3)}`;
const group = (random: SeededRandom): string => `g${random.below(2)}`;
const consumer = (random: SeededRandom): string => `c${random.below(3)}`;
const streamId = (random: SeededRandom): string => `${random.below(400)}-${random.below(3)}`;
/** Ids that mostly grow, so that most entries are taken. */
const newId = (random: SeededRandom, at: { ms: number }): string => {
  at.ms += random.below(3);
  return random.pick([`${at.ms}-*`, `${at.ms}-${random.below(9)}`, `${at.ms}`, '0-0', 'x-1']);
};
const rangeEnd = (random: SeededRandom): string =>
  random.pick(['-', '+', streamId(random), `(${streamId(random)}`, `${random.below(400)}`]);

/** Streams with groups. Times and delivery times are left out: the two clocks differ. */
const streams = (): readonly Maker[] => {
  const at = { ms: 1 };
  return [
    (r) => ['XADD', stream(r), newId(r, at), 'f', value(r)],
    (r) => ['XADD', stream(r), ...maybe(r, 'MAXLEN', `${r.below(12)}`), newId(r, at), 'f', value(r), 'g', ''],
    (r) => ['XADD', stream(r), 'MINID', streamId(r), newId(r, at), 'f', 'v'],
    (r) => ['XADD', stream(r), 'NOMKSTREAM', newId(r, at), 'f', ...maybe(r, 'v')],
    (r) => ['XLEN', stream(r)],
    (r) => ['XRANGE', stream(r), rangeEnd(r), rangeEnd(r), ...maybe(r, 'COUNT', count(r))],
    (r) => ['XREVRANGE', stream(r), rangeEnd(r), rangeEnd(r), ...maybe(r, 'COUNT', count(r))],
    (r) => ['XRANGE', stream(r), '-', '+'],
    (r) => ['XDEL', stream(r), ...some(r, streamId)],
    (r) => ['XTRIM', stream(r), r.pick(['MAXLEN', 'MAXLEN =']).split(' ')[0] ?? '', `${r.below(12)}`],
    (r) => ['XTRIM', stream(r), 'MINID', '=', streamId(r)],
    (r) => ['XREAD', ...maybe(r, 'COUNT', '2'), 'STREAMS', stream(r), stream(r), streamId(r), '$'],
    (r) => [
      'XGROUP',
      'CREATE',
      stream(r),
      group(r),
      r.pick(['0', '$', streamId(r)]),
      ...maybe(r, 'MKSTREAM'),
    ],
    (r) => ['XGROUP', 'CREATECONSUMER', stream(r), group(r), consumer(r)],
    (r) => (r.below(4) === 0 ? ['XGROUP', 'DESTROY', stream(r), group(r)] : ['XLEN', stream(r)]),
    (r) =>
      r.below(4) === 0 ? ['XGROUP', 'DELCONSUMER', stream(r), group(r), consumer(r)] : ['XLEN', 'none'],
    (r) => ['XGROUP', 'SETID', stream(r), group(r), r.pick(['0', '$', streamId(r)])],
    (r) => [
      'XREADGROUP',
      'GROUP',
      group(r),
      consumer(r),
      ...maybe(r, 'COUNT', '2'),
      'STREAMS',
      stream(r),
      '>',
    ],
    (r) => ['XREADGROUP', 'GROUP', group(r), consumer(r), 'STREAMS', stream(r), r.pick(['0', streamId(r)])],
    (r) => ['XREADGROUP', 'GROUP', group(r), consumer(r), 'NOACK', 'COUNT', '1', 'STREAMS', stream(r), '>'],
    (r) => ['XACK', stream(r), group(r), ...some(r, streamId)],
    (r) => ['XPENDING', stream(r), group(r)],
    (r) => ['XCLAIM', stream(r), group(r), consumer(r), '0', ...some(r, streamId), ...maybe(r, 'JUSTID')],
    (r) => ['XCLAIM', stream(r), group(r), consumer(r), '0', streamId(r), 'FORCE'],
    (r) => [
      'XAUTOCLAIM',
      stream(r),
      group(r),
      consumer(r),
      '0',
      streamId(r),
      'COUNT',
      '5',
      ...maybe(r, 'JUSTID'),
    ],
    (r) => [
      'XCLAIM',
      stream(r),
      group(r),
      consumer(r),
      '0',
      streamId(r),
      'RETRYCOUNT',
      '7',
      'LASTID',
      streamId(r),
    ],
    (r) => ['XREAD', 'BLOCK', '1', 'COUNT', '3', 'STREAMS', stream(r), stream(r), streamId(r), '$'],
    (r) => [
      ...['XREADGROUP', 'GROUP', group(r), consumer(r), 'COUNT', '1', 'BLOCK', '1', 'STREAMS', stream(r)],
      ...[stream(r), '>', '>'],
    ],
    (r) => [
      'XSETID',
      stream(r),
      r.pick([streamId(r), '500-0']),
      ...maybe(r, 'ENTRIESADDED', `${r.below(30)}`, 'MAXDELETEDID', streamId(r)),
    ],
    (r) => ['XINFO', r.pick(['STREAM', 'GROUPS']), 'none'],
    (r) => (r.below(10) === 0 ? ['DEL', stream(r)] : ['EXISTS', stream(r)]),
    (r) => ['COPY', stream(r), stream(r), 'REPLACE'],
  ];
};

const sorts: readonly Maker[] = [
  (r) => ['SADD', 'numbers', ...some(r, () => `${r.below(40)}`)],
  (r) => ['RPUSH', 'words', ...some(r, member)],
  (r) => ['SET', `weight_${r.below(40)}`, `${r.below(100)}`],
  (r) => ['HSET', `object_${r.below(40)}`, 'name', `n${r.below(20)}`],
  (r) => ['SORT', 'numbers', ...maybe(r, 'DESC'), ...maybe(r, 'LIMIT', count(r), count(r))],
  () => ['SORT', 'numbers', 'BY', 'weight_*', 'GET', '#', 'GET', 'object_*->name'],
  (r) => ['SORT', 'numbers', 'ALPHA', ...maybe(r, 'DESC')],
  (r) => ['SORT', 'words', ...maybe(r, 'ALPHA'), ...maybe(r, 'STORE', 'sorted')],
  (r) => ['SORT', 'words', 'BY', 'nosort', 'LIMIT', '0', count(r)],
  (r) => ['SORT_RO', key(r), 'ALPHA', 'STORE', 'x'],
  () => ['LRANGE', 'sorted', '0', '-1'],
  () => ['LTRIM', 'words', '-20', '-1'],
];

const place = (random: SeededRandom): string => `p${random.below(30)}`;
/**
 * Not beyond the 90th degree: a search that crosses the 180th finds what lies there, in Redis it does not. With
 * decimals enough that no two places are the same: which of them is among the nearest is chance.
 */
const coordinate = (random: SeededRandom, limit: number): string =>
  ((random.next() * 2 - 1) * random.pick([limit, limit / 10])).toFixed(4 + random.below(3));
const unit = (random: SeededRandom): string => random.pick(['m', 'km', 'ft', 'MI']);
const area = (random: SeededRandom): string[] =>
  random.pick([
    ['BYRADIUS', `${random.below(3000)}`, 'km'],
    ['BYRADIUS', `${random.below(300_000)}`, unit(random)],
    ['BYBOX', `${random.below(4000)}`, `${random.below(4000)}`, 'km'],
  ]);

const geos: readonly Maker[] = [
  (r) => ['GEOADD', 'geo', ...maybe(r, 'CH'), coordinate(r, 90), coordinate(r, 60), place(r)],
  (r) => [
    'GEOADD',
    'geo',
    coordinate(r, 90),
    coordinate(r, 60),
    place(r),
    r.pick([coordinate(r, 90), '190']),
    '1',
    place(r),
  ],
  (r) => ['GEOPOS', 'geo', ...some(r, place)],
  (r) => ['GEOHASH', 'geo', ...some(r, place)],
  (r) => ['GEODIST', 'geo', place(r), place(r), ...maybe(r, unit(r))],
  (r) => [
    'GEOSEARCH',
    'geo',
    'FROMMEMBER',
    place(r),
    ...area(r),
    r.pick(['ASC', 'DESC']),
    'WITHDIST',
    'WITHHASH',
  ],
  (r) => [
    ...['GEOSEARCH', 'geo', 'FROMLONLAT', coordinate(r, 90), coordinate(r, 60), ...area(r)],
    ...[r.pick(['ASC', 'DESC']), ...maybe(r, 'COUNT', `${1 + r.below(4)}`), 'WITHCOORD'],
  ],
  (r) => ['GEORADIUS', 'geo', coordinate(r, 90), coordinate(r, 60), `${r.below(2000)}`, 'km', 'ASC'],
  (r) => ['GEORADIUSBYMEMBER', 'geo', place(r), `${r.below(2000)}`, 'km', 'STORE', 'near'],
  (r) => ['GEOSEARCHSTORE', 'near', 'geo', 'FROMMEMBER', place(r), ...area(r)],
  (r) => [
    'GEORADIUS_RO',
    'geo',
    coordinate(r, 90),
    coordinate(r, 60),
    `${r.below(2000)}`,
    unit(r),
    'WITHDIST',
  ],
  (r) => ['GEORADIUSBYMEMBER', 'geo', place(r), `${r.below(2000)}`, 'km', 'WITHDIST', 'STORE', 'near'],
  () => ['ZRANGE', 'near', '0', '-1', 'WITHSCORES'],
];

const sketch = (random: SeededRandom): string => `hll${random.below(3)}`;

const hyperLogLogs: readonly Maker[] = [
  (r) => ['PFADD', sketch(r), ...some(r, () => `element${r.below(5000)}`, 30)],
  (r) => ['PFADD', sketch(r), r.bytes(r.below(30))],
  (r) => ['PFCOUNT', ...some(r, sketch)],
  (r) => ['PFMERGE', sketch(r), ...some(r, sketch)],
  (r) => (r.below(20) === 0 ? ['DEL', sketch(r)] : ['PFCOUNT', sketch(r)]),
];

/** Random commands over all common types, right and wrong ones. The same seed gives the same history. */
export const randomCommands = (random: SeededRandom): (() => RandomCommand) => {
  const families = [
    strings,
    keys,
    hashes,
    lists,
    sets,
    zsets,
    lexSets,
    bitmaps,
    streams(),
    hyperLogLogs,
    sorts,
    geos,
    dumps,
  ];
  return () => random.pick(random.pick(families))(random);
};
