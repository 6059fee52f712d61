import { parseRedisUrl, type Reply, ReplyError, RespConnection } from '../../src/resp/index.js';
import { byName, fieldsOf, latin1Of, pairsOf } from './reply-text.js';

/**
 * Everything that a server holds, key by key, read by its ordinary commands: two servers hold the same when these are equal,
 * whichever of them is a Redis and whichever a store of Kvrocks' types. Bytes as latin1 text; unordered things sorted.
 */
export const readDataState = async (
  server: RespConnection,
  isIgnored: (key: string) => boolean = () => false,
): Promise<Record<string, unknown>> => {
  const state: Record<string, unknown> = {};
  // A Kvrocks tells the empty key as no string.
  const keys = ((await server.call('KEYS', '*')) as (Buffer | null)[]).map((key) => key ?? Buffer.alloc(0));
  for (const key of keys.sort(Buffer.compare)) {
    const name = key.toString('latin1');
    if (isIgnored(name)) continue;
    // One beyond all numbers is copied as the largest.
    const expireAt = Math.min(Number(await server.call('PEXPIRETIME', key)), Number.MAX_SAFE_INTEGER);
    const value = await readValue(server, key);
    if (value !== undefined) state[name] = { value, ...(expireAt >= 0 ? { expireAt } : {}) };
  }
  return state;
};

/** The same of the server at an address, without the positions that a tailrace leaves in its targets. */
export const dataStateOf = async (url: string): Promise<Record<string, unknown>> => {
  const connection = await RespConnection.open(parseRedisUrl(url));
  try {
    return await readDataState(connection, (key) => key.startsWith('tailrace:'));
  } finally {
    connection.close();
  }
};

const readValue = async (server: RespConnection, key: Buffer): Promise<unknown> => {
  const type = String(await server.call('TYPE', key));
  switch (type) {
    case 'none':
      return undefined;
    case 'string':
    case 'bitmap': {
      const value = latin1Of(await server.call('GET', key)) as string;
      return value.startsWith('HYLL') ? { count: await server.call('PFCOUNT', key) } : value;
    }
    case 'hyperloglog':
      return { count: await server.call('PFCOUNT', key) };
    case 'ReJSON-RL':
      return latin1Of(await server.call('JSON.GET', key));
    case 'hash':
      return pairsOf(await server.call('HGETALL', key)).sort(byName);
    case 'list':
      return { list: latin1Of(await server.call('LRANGE', key, 0, -1)) };
    case 'set':
      return (latin1Of(await server.call('SMEMBERS', key)) as string[]).sort();
    case 'zset':
      return pairsOf(await server.call('ZRANGE', key, 0, -1, 'WITHSCORES'))
        .map(([member, score]) => [member, Number(String(score).replace('inf', 'Infinity'))])
        .sort(byName);
    case 'sortedint':
      return (latin1Of(await server.call('SIRANGE', key, 0, 100_000)) as string[]).map((id) => [
        id,
        Number(id),
      ]);
    case 'stream':
      return await readStream(server, key);
    default:
      throw new Error(`no way to read a ${type}`);
  }
};

const readStream = async (server: RespConnection, key: Buffer): Promise<unknown> => {
  const entries = (await server.call('XRANGE', key, '-', '+')) as Reply[];
  const ids = new Set(entries.map((entry) => (latin1Of(entry) as unknown[])[0]));
  // A Kvrocks that has lost count of the entries finds no such key.
  const told = await server.call('XINFO', 'STREAM', key);
  const info = fieldsOf(
    told instanceof ReplyError ? await server.call('XINFO', 'STREAM', key, 'FULL', 'COUNT', 1) : told,
  );
  const groups: unknown[] = [];
  // A Kvrocks lists all consumers from the group's own to the last of the stream, even where there is no such group; how many
  // it says that a group has does not tell them apart, as it loses count.
  const ofNoGroup = await server.call('XINFO', 'CONSUMERS', key, '');
  const listsFollowing = Array.isArray(ofNoGroup) && ofNoGroup.length > 0;
  for (const reply of (await server.call('XINFO', 'GROUPS', key)) as Reply[]) {
    const group = fieldsOf(reply);
    const name = Buffer.from(String(group.get('name')), 'latin1');
    const consumers = (await server.call('XINFO', 'CONSUMERS', key, name)) as Reply[];
    const next = Buffer.from(name);
    next[next.length - 1]++;
    const following = listsFollowing
      ? ((await server.call('XINFO', 'CONSUMERS', key, next)) as Reply[]).length
      : 0;
    const pending = (await server.call('XPENDING', key, name, '-', '+', 10_000)) as Reply[];
    groups.push({
      name: group.get('name'),
      lastDelivered: group.get('last-delivered-id'),
      consumers: consumers
        .slice(0, consumers.length - following)
        .map((consumer) => fieldsOf(consumer).get('name'))
        .sort(),
      // No command makes an entry pending that is deleted.
      pending: pending
        .map((entry) => (latin1Of(entry) as unknown[]).slice(0, 2))
        .filter(([id]) => ids.has(id)),
    });
  }
  return { entries: withoutNull(latin1Of(entries)), lastId: info.get('last-generated-id'), groups };
};

/** A Kvrocks tells an empty value of an entry as none. */
const withoutNull = (value: unknown): unknown =>
  Array.isArray(value) ? value.map(withoutNull) : (value ?? '');
