import type { Connection } from '../connection.js';

/** One line of CLIENT LIST, in the fields of Redis and Kvrocks. */
export const describeClient = (client: Connection): string => {
  const nowMs = Date.now();
  const { pubSub } = client.state;
  const seconds = (sinceMs: number): number => Math.max(0, Math.floor((nowMs - sinceMs) / 1000));
  const fields: readonly (readonly [name: string, value: string | number])[] = [
    ['id', client.id],
    ['addr', client.address],
    ['laddr', client.localAddress],
    ['name', client.name],
    ['age', seconds(client.createdAtMs)],
    ['idle', seconds(client.lastActiveMs)],
    ['flags', flagsOf(client)],
    ['namespace', client.namespace],
    ['db', 0],
    ['sub', pubSub.countOf(client, 'channel')],
    ['psub', pubSub.countOf(client, 'pattern')],
    ['ssub', pubSub.countOf(client, 'shard')],
    ['multi', client.multi.queuedCommands],
    ['qbuf', client.queryBytes],
    ['obl', client.unsentBytes],
    ['cmd', client.calls.last],
    ['resp', client.reply.isResp3 ? 3 : 2],
    ['lib-name', client.libraryName],
    ['lib-ver', client.libraryVersion],
  ];
  return fields.map(([name, value]) => `${name}=${value}`).join(' ');
};

/** b blocked, x in a transaction, P subscriber, O monitor, S streams updates; N nothing of that. */
const flagsOf = (client: Connection): string => {
  const flags = [
    client.isWaiting ? 'b' : '',
    client.multi.isOpen ? 'x' : '',
    client.isSubscriber ? 'P' : '',
    client.state.monitor.has(client) ? 'O' : '',
    client.updateStream === undefined ? '' : 'S',
  ].join('');
  return flags === '' ? 'N' : flags;
};
