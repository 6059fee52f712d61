/**
 * What a command does with a key, in the words of Redis' key specifications: RO, RW, OW (overwrites) or RM (removes), then
 * whether its content is answered (access) and how it is changed (update, insert, delete).
 */
export type KeyUse = readonly string[];

/** Commands by what they do with their keys, with a slash between the first key and those behind it. */
const usesOfNames = `
RM delete: del unlink
RO: exists touch type strlen hexists hstrlen hlen llen scard sismember zcard xlen watch
RW update: expire pexpire expireat pexpireat persist setrange hset hmset lset zadd xadd xsetid xack xclaim geoadd
RW access delete / OW update: rename
RW access delete / OW insert: renamenx
RO access / OW update: copy sort georadius georadiusbymember
RW access update: move getset getex incr decr incrby decrby incrbyfloat hincrby hincrbyfloat zincrby setbit bitfield
OW update: set restore setex psetex mset
OW insert: setnx msetnx
RW access delete: getdel lpop rpop lmpop blpop brpop blmpop spop zpopmin zpopmax zmpop bzpopmin bzpopmax bzmpop
RW insert: append hsetnx lpush rpush lpushx rpushx linsert sadd pfadd
RW delete: hdel lrem ltrim srem zrem zremrangebyrank zremrangebyscore zremrangebylex xdel xtrim xautoclaim
RW access delete / RW insert: lmove rpoplpush blmove brpoplpush smove
OW update / RO access: sunionstore sdiffstore sinterstore zrangestore zunionstore zinterstore zdiffstore bitop geosearchstore
RW access: pfcount
RW access insert / RO access: pfmerge
`;

const uses: ReadonlyMap<string, readonly KeyUse[]> = new Map(
  usesOfNames
    .trim()
    .split('\n')
    .flatMap((line) => {
      const [keys, names] = line.split(': ') as [string, string];
      const ofKeys = keys.split(' / ').map((words) => words.split(' '));
      return names.split(' ').map((name) => [name, ofKeys] as const);
    }),
);

/** What a call does with the key that it names at an index among its keys; the same object for the same use. */
export const keyUse = (name: string, isWrite: boolean, index: number, args: readonly Buffer[]): KeyUse => {
  if (name === 'set' && args.some((word) => word.toString('latin1').toLowerCase() === 'get'))
    return setAndGet;
  const ofKeys = uses.get(name) ?? (isWrite ? updates : reads);
  return ofKeys[Math.min(index, ofKeys.length - 1)];
};

const setAndGet: KeyUse = ['RW', 'access', 'update'];
/** Of all keys of the commands that are not named. */
const updates: readonly KeyUse[] = [['RW', 'update']];
const reads: readonly KeyUse[] = [['RO', 'access']];
