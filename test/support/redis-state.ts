import { ByteWriter, type Reply, type RespConnection, writeCommand } from '../../src/resp/index.js';
import { byName, fieldsOf, latin1Of, pairsOf } from './reply-text.js';

/** A key as a Redis holds it, in the form of the captured states. */
export interface RedisKeyState {
  readonly type: string;
  readonly pexpireat: number | null;
  readonly value: unknown;
  /** Streams: last id, and each group with its last delivered id, consumers and pending entries. */
  readonly groups?: unknown;
}

/** Everything in a Redis database, by key; bytes as latin1 text; unordered collections sorted. */
export const readRedisState = async (redis: RespConnection): Promise<Map<string, RedisKeyState>> => {
  const keys = (await redis.call('KEYS', '*')) as Buffer[];
  const types = (
    await callAll(
      redis,
      keys.map((key) => ['TYPE', key]),
    )
  ).map(String);
  const expiries = await callAll(
    redis,
    keys.map((key) => ['PEXPIRETIME', key]),
  );
  const values = await callAll(
    redis,
    keys.map((key, at) => readOf(types[at] ?? '', key)),
  );
  const state = new Map<string, RedisKeyState>();
  for (const [at, key] of keys.entries()) {
    const type = types[at] ?? '';
    const pexpireat = Number(expiries[at]);
    state.set(key.toString('latin1'), {
      type,
      pexpireat: pexpireat < 0 ? null : pexpireat,
      value: await comparableValue(redis, type, key, values[at]),
      ...(type === 'stream' ? { groups: await readGroups(redis, key) } : {}),
    });
  }
  return state;
};

/** Replies of many commands that are sent together. */
const callAll = (
  redis: RespConnection,
  commands: readonly (readonly (string | Buffer)[])[],
): Promise<Reply[]> => {
  if (commands.length === 0) return Promise.resolve([]);
  const out = new ByteWriter();
  for (const command of commands) writeCommand(out, [...command]);
  return redis.send(out.take(), commands.length);
};

/** The command that reads a whole value. */
const readOf = (type: string, key: Buffer): (string | Buffer)[] => {
  switch (type) {
    case 'string':
      return ['GET', key];
    case 'hash':
      return ['HGETALL', key];
    case 'list':
      return ['LRANGE', key, '0', '-1'];
    case 'set':
      return ['SMEMBERS', key];
    case 'zset':
      return ['ZRANGE', key, '0', '-1', 'WITHSCORES'];
    case 'stream':
      return ['XRANGE', key, '-', '+'];
    default:
      throw new Error(`no way to read a ${type}`);
  }
};

const comparableValue = async (
  redis: RespConnection,
  type: string,
  key: Buffer,
  reply: Reply | undefined,
): Promise<unknown> => {
  switch (type) {
    case 'string': {
      const value = latin1Of(reply) as string;
      if (!value.startsWith('HYLL')) return value;
      // A HyperLogLog may be written in several ways: what counts are its registers.
      return { registers: ((await redis.call('PFDEBUG', 'GETREG', key)) as Reply[]).join(' ') };
    }
    case 'hash':
      return pairsOf(reply).sort(byName);
    case 'set':
      return (latin1Of(reply) as string[]).sort();
    case 'zset':
      return pairsOf(reply)
        .map(([member, score]) => [member, Number(String(score).replace('inf', 'Infinity'))])
        .sort(byName);
    default:
      return latin1Of(reply);
  }
};

const readGroups = async (redis: RespConnection, key: Buffer): Promise<unknown> => {
  const stream = fieldsOf(await redis.call('XINFO', 'STREAM', key));
  const entries = (await redis.call('XRANGE', key, '-', '+')) as Reply[];
  const ids = new Set(entries.map((entry) => (latin1Of(entry) as unknown[])[0]));
  const groups: unknown[] = [];
  for (const info of (await redis.call('XINFO', 'GROUPS', key)) as Reply[]) {
    const group = fieldsOf(info);
    const name = Buffer.from(String(group.get('name')), 'latin1');
    const consumers = (await redis.call('XINFO', 'CONSUMERS', key, name)) as Reply[];
    const pending = (await redis.call('XPENDING', key, name, '-', '+', 1000)) as Reply[];
    groups.push({
      name: group.get('name'),
      lastDelivered: group.get('last-delivered-id'),
      consumers: consumers.map((consumer) => fieldsOf(consumer).get('name')),
      // No command makes an entry pending that is deleted.
      // The idle time is left out: it is the clock's.
      pending: pending
        .map((entry) => (latin1Of(entry) as unknown[]).filter((_, at) => at !== 2))
        .filter(([id]) => ids.has(id)),
    });
  }
  return { lastId: stream.get('last-generated-id'), added: stream.get('entries-added'), groups };
};
