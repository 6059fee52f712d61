import { parseSubcommands } from '../../data-model/commands/index.js';
import { matchesClient, parseClientFilter } from '../clients/client-filter.js';
import { describeClient } from '../clients/describe-client.js';
import type { Connection } from '../connection.js';
import type { ServerCommand } from '../server-command.js';
import { setClientName } from './connection-commands.js';
import { adminRequired } from './namespace-commands.js';

const client: ServerCommand = {
  name: 'client',
  arity: -2,
  subcommands: parseSubcommands(
    'caching 3 getname 2 getredir 2 id 2 info 2 kill -3 list -2 no-evict 3 no-touch 3 pause -3 reply 3 setinfo 4 setname 3 ' +
      'tracking -3 trackinginfo 2 unblock -3 unpause 2',
  ),
  flags: ['admin'],
  run: (connection, args) => runs.get(args[1].toString('latin1').toLowerCase())?.(connection, args),
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
  if (args.length > 4) {
    reply.error('ERR syntax error');
  } else if (word !== 'TIMEOUT' && word !== 'ERROR') {
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
  if (args.length > 4) {
    reply.error('ERR syntax error');
  } else if (/^-\d{1,15}$/.test(time)) {
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

const unpause = ({ state, reply }: Connection): void => {
  reply.ok();
  state.pause.end();
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

/** Unless the client is the administrator, it may not hold back the commands of others. */
const byAdmin =
  (run: ServerCommand['run']): ServerCommand['run'] =>
  (connection, args) => {
    if (connection.session.isAdmin) run(connection, args);
    else connection.reply.error(adminRequired);
  };

const runs: ReadonlyMap<string, ServerCommand['run']> = new Map<string, ServerCommand['run']>([
  ['id', ({ id, reply }) => reply.integer(id)],
  ['info', (own) => own.reply.verbatim(`${describeClient(own)}\n`)],
  ['list', list],
  ['kill', kill],
  ['unblock', unblock],
  ['pause', byAdmin(pause)],
  ['unpause', byAdmin(unpause)],
  ['reply', setReplies],
  ['getname', ({ name, reply }) => (name === '' ? reply.null() : reply.bulkText(name))],
  [
    'setname',
    (connection, args) => {
      if (setClientName(connection, args[2])) connection.reply.ok();
    },
  ],
  ['setinfo', setInfo],
  ['no-evict', acceptSwitch],
  ['no-touch', acceptSwitch],
  ['getredir', ({ reply }) => reply.integer(-1)],
  ['tracking', tracking],
  ['caching', ({ reply }) => reply.error(noTracking)],
  ['trackinginfo', trackingInfo],
]);

export const clientCommands: readonly ServerCommand[] = [client];
