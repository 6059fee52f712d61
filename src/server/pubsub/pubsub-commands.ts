import { parseSubcommands } from '../../data-model/commands/index.js';
import { ColumnFamily } from '../../data-model/index.js';
import { WriteBatchBuilder } from '../../write-batch/index.js';
import type { Connection } from '../connection.js';
import type { ServerCommand } from '../server-command.js';
import { deliver, type SubscriptionKind } from './pub-sub.js';

const subscribe = (name: string, kind: SubscriptionKind): ServerCommand => ({
  name,
  arity: -2,
  flags: ['pubsub'],
  isRefusedInMulti: true,
  isForSubscribers: true,
  run: (connection, args) => {
    for (const wanted of args.slice(1)) connection.state.pubSub.subscribe(connection, kind, wanted);
  },
});

const unsubscribe = (name: string, kind: SubscriptionKind): ServerCommand => ({
  name,
  arity: -1,
  flags: ['pubsub'],
  isRefusedInMulti: true,
  isForSubscribers: true,
  run: (connection, args) => connection.state.pubSub.unsubscribe(connection, kind, args.slice(1)),
});

/** As Kvrocks does, PUBLISH writes the message to the log: key = channel, in a column family of its own. */
const publish: ServerCommand = {
  name: 'publish',
  arity: 3,
  flags: ['pubsub', 'fast'],
  run: (connection, args) => {
    const [channel, message] = [Buffer.from(args[1]), Buffer.from(args[2])];
    const batch = new WriteBatchBuilder(64 + channel.length + message.length);
    connection.commitBuilt(batch.put(ColumnFamily.pubsub, channel, message));
    if (connection.transaction === undefined) connection.context.settleOther(batch.count);
    send(connection, 'channel', channel, message);
  },
};

/** MPUBLISH channel message …, as Kvrocks has it: PUBLISH of each message in turn, by one batch. */
const publishAll: ServerCommand = {
  name: 'mpublish',
  arity: -3,
  flags: ['pubsub', 'fast'],
  run: (connection, args) => {
    const [channel, ...messages] = args.slice(1).map((arg) => Buffer.from(arg));
    const batch = new WriteBatchBuilder();
    for (const message of messages) batch.put(ColumnFamily.pubsub, channel, message);
    connection.commit(batch.finish());
    const { state, namespace } = connection;
    const deliveries = state.pubSub.receivers(namespace, 'channel', channel);
    connection.reply.integer(deliveries.length * messages.length);
    connection.calls.afterwards(() => {
      for (const message of messages) for (const delivery of deliveries) deliver(delivery, message);
    });
  },
};

/** Shard channels are not logged: they are for those who listen now. */
const shardPublish: ServerCommand = {
  name: 'spublish',
  arity: 3,
  flags: ['pubsub', 'fast'],
  run: (connection, args) => send(connection, 'shard', Buffer.from(args[1]), Buffer.from(args[2])),
};

/** The messages leave when the command, or its transaction, is done. */
const send = (connection: Connection, kind: 'channel' | 'shard', channel: Buffer, message: Buffer): void => {
  const { reply, state, namespace } = connection;
  const deliveries = state.pubSub.receivers(namespace, kind, channel);
  reply.integer(deliveries.length);
  connection.calls.afterwards(() => {
    for (const delivery of deliveries) deliver(delivery, message);
  });
};

const pubSub: ServerCommand = {
  name: 'pubsub',
  arity: -2,
  subcommands: parseSubcommands('channels -2 numpat 2 numsub -2 shardchannels -2 shardnumsub -2'),
  flags: ['pubsub'],
  run: ({ reply, state, namespace }, args) => {
    const word = args[1].toString('latin1').toLowerCase();
    const kind = word.startsWith('shard') ? 'shard' : 'channel';
    if ((word === 'channels' || word === 'shardchannels') && args.length <= 3) {
      const channels = state.pubSub.channels(namespace, kind, args[2]);
      reply.array(channels.length);
      for (const channel of channels) reply.bulk(channel);
    } else if (word === 'numsub' || word === 'shardnumsub') {
      reply.array((args.length - 2) * 2);
      for (const channel of args.slice(2)) {
        reply.bulk(channel);
        reply.integer(state.pubSub.subscribers(namespace, kind, channel));
      }
    } else if (word === 'numpat') {
      reply.integer(state.pubSub.patterns(namespace));
    } else {
      const text = args[1].toString('latin1');
      reply.error(`ERR unknown subcommand or wrong number of arguments for '${text}'. Try PUBSUB HELP.`);
    }
  },
};

export const pubSubCommands: readonly ServerCommand[] = [
  subscribe('subscribe', 'channel'),
  subscribe('psubscribe', 'pattern'),
  subscribe('ssubscribe', 'shard'),
  unsubscribe('unsubscribe', 'channel'),
  unsubscribe('punsubscribe', 'pattern'),
  unsubscribe('sunsubscribe', 'shard'),
  publish,
  publishAll,
  shardPublish,
  pubSub,
];
