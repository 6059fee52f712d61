import { matchesClient, parseClientFilter } from '../clients/client-filter.js';
import { describeClient } from '../clients/describe-client.js';
import type { Connection } from '../connection.js';
import type { ServerCommand } from '../server-command.js';
import { setClientName } from './connection-commands.js';
import { adminRequired } from './namespace-commands.js';

interface Subcommand {
  /** Numbers of arguments with CLIENT and the subcommand: least and most. */
  readonly words: readonly [least: number, most: number];
  readonly isAdmin?: boolean;
  readonly run: ServerCommand['run'];
}

const client: ServerCommand = {
  name: 'client',
  arity: -2,
  flags: ['admin'],
  run: (connection, args) => {
    const word = args[1].toString('latin1');
    const subcommand = subcommands.get(word.toLowerCase());
    if (subcommand === undefined) {
      connection.reply.error(`ERR unknown subcommand '${word}'. Try CLIENT HELP.`);
    } else if (args.length < subcommand.words[0] || args.length > subcommand.words[1]) {
      connection.reply.error(`ERR wrong number of arguments for 'client|${word.toLowerCase()}' command`);
    } else if (subcommand.isAdmin && !connection.session.isAdmin) {
      connection.reply.error(adminRequired);
    } else subcommand.run(connection, args);
  },
};

/** CLIENT KILL address | filter value … */
const kill = (connection: Connection, args: readonly Buffer[]): void => {
  const { reply } = connection;
  const filter = parseClientFilter(args.slice(2));
  if (typeof filter === 'string') {
    reply.error(filter);
    return;
  }
  const victims = visibleTo(connection).filter((other) => matchesClient(filter, other, connection));
  if (!filter.isAddressAlone) reply.integer(victims.length);
  else if (victims.length > 0) reply.ok();
  else reply.error('ERR No such client');
  for (const victim of victims) victim.end(); // after the reply: it may be this very client
};

const list = (connection: Connection, args: readonly Buffer[]): void => {
  const { reply } = connection;
  const isByIds = args.length > 3 && args[2].toString('latin1').toUpperCase() === 'ID';
  const ids = isByIds ? new Set(args.slice(3).map((id) => id.toString('latin1'))) : undefined;
  if (ids !== undefined && ![...ids].every((id) => /^[1-9]\d*$/.test(id))) {
    reply.error('ERR Invalid client ID');
    return;
  }
  const filter = isByIds ? parseClientFilter([]) : parseClientFilter(args.slice(2), false);
  if (typeof filter === 'string') {
    reply.error(filter);
    return;
  }
  const found = visibleTo(connection).filter((other) =>
    ids === undefined ? matchesClient(filter, other, connection) : ids.has(String(other.id)),
  );
  reply.verbatim(found.map((other) => `${describeClient(other)}\n`).join(''));
};

/** The administrator sees all clients, others those of their own namespace. */
const visibleTo = (connection: Connection): Connection[] =>
  [...connection.state.connections].filter(
    (other) => connection.session.isAdmin || other.namespace === connection.namespace,
  );

const unblock = (connection: Connection, args: readonly Buffer[]): void => {
  const { reply } = connection;
  const word = args[3]?.toString('latin1').toUpperCase() ?? 'TIMEOUT';
  const id = args[2].toString('latin1');
  if (word !== 'TIMEOUT' && word !== 'ERROR') {
    reply.error('ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR');
  } else if (!/^-?\d+$/.test(id)) {
    reply.error('ERR value is not an integer or out of range');
  } else {
    const waiting = visibleTo(connection).find((other) => String(other.id) === id);
    reply.integer(waiting?.unblock(word === 'ERROR') ? 1 : 0);
  }
};

const pause = ({ state, reply }: Connection, args: readonly Buffer[]): void => {
  const time = args[2].toString('latin1');
  const mode = args[3]?.toString('latin1').toUpperCase() ?? 'ALL';
  if (/^-\d{1,15}$/.test(time)) {
    reply.error('ERR timeout is negative');
  } else if (!/^\d{1,15}$/.test(time)) {
    reply.error('ERR timeout is not an integer or out of range');
  } else if (mode !== 'ALL' && mode !== 'WRITE') {
    reply.error('ERR CLIENT PAUSE mode must be WRITE or ALL');
  } else {
    state.pause.start(Number(time), mode);
    reply.ok();
  }
};

const setReplies = (connection: Connection, args: readonly Buffer[]): void => {
  const word = args[2].toString('latin1').toUpperCase();
  if (word === 'ON') {
    connection.calls.replies = 'on';
    connection.reply.ok();
  } else if (word === 'OFF') connection.calls.replies = 'off';
  else if (word === 'SKIP') {
    if (connection.calls.replies === 'on') connection.calls.replies = 'skip next';
  } else connection.reply.error('ERR syntax error');
};

/** What drivers tell of themselves; words that are not known are taken, since drivers do not look at the answer. */
const setInfo = (connection: Connection, args: readonly Buffer[]): void => {
  const name = args[2].toString('latin1').toLowerCase();
  const value = args[3].toString('latin1');
  if (!/^[\x21-\x7e]*$/.test(value)) {
    connection.reply.error(`ERR ${name} cannot contain spaces, newlines or special characters.`);
  } else {
    if (name === 'lib-name') connection.libraryName = value;
    else if (name === 'lib-ver') connection.libraryVersion = value;
    connection.reply.ok();
  }
};

/** Nothing is evicted here, and nothing is touched by reading. */
const acceptSwitch = ({ reply }: Connection, args: readonly Buffer[]): void => {
  if (/^(on|off)$/i.test(args[2].toString('latin1'))) reply.ok();
  else reply.error('ERR syntax error');
};

/** Nothing is tracked, which may be asked for. */
const tracking = ({ reply }: Connection, args: readonly Buffer[]): void => {
  const word = args[2].toString('latin1').toUpperCase();
  if (word === 'OFF' && args.length === 3) reply.ok();
  else if (word === 'ON') reply.error(noTracking);
  else reply.error('ERR syntax error');
};

const noTracking = 'ERR client-side caching is not supported';

const trackingInfo = ({ reply }: Connection): void => {
  reply.map(3);
  reply.bulkText('flags');
  reply.set(1);
  reply.bulkText('off');
  reply.bulkText('redirect');
  reply.integer(-1);
  reply.bulkText('prefixes');
  reply.array(0);
};

const any = Number.POSITIVE_INFINITY;

const subcommands: ReadonlyMap<string, Subcommand> = new Map<string, Subcommand>([
  ['id', { words: [2, 2], run: ({ id, reply }) => reply.integer(id) }],
  ['info', { words: [2, 2], run: (own) => own.reply.verbatim(`${describeClient(own)}\n`) }],
  ['list', { words: [2, any], run: list }],
  ['kill', { words: [3, any], run: kill }],
  ['unblock', { words: [3, 4], run: unblock }],
  ['pause', { words: [3, 4], isAdmin: true, run: pause }],
  [
    'unpause',
    {
      words: [2, 2],
      isAdmin: true,
      run: ({ state, reply }) => {
        reply.ok();
        state.pause.end();
      },
    },
  ],
  ['reply', { words: [3, 3], run: setReplies }],
  [
    'getname',
    { words: [2, 2], run: ({ name, reply }) => (name === '' ? reply.null() : reply.bulkText(name)) },
  ],
  [
    'setname',
    {
      words: [3, 3],
      run: (connection, args) => {
        if (setClientName(connection, args[2])) connection.reply.ok();
      },
    },
  ],
  ['setinfo', { words: [4, 4], run: setInfo }],
  ['no-evict', { words: [3, 3], run: acceptSwitch }],
  ['no-touch', { words: [3, 3], run: acceptSwitch }],
  ['getredir', { words: [2, 2], run: ({ reply }) => reply.integer(-1) }],
  ['tracking', { words: [3, any], run: tracking }],
  ['caching', { words: [3, 3], run: ({ reply }) => reply.error(noTracking) }],
  ['trackinginfo', { words: [2, 2], run: trackingInfo }],
]);

export const clientCommands: readonly ServerCommand[] = [client];
