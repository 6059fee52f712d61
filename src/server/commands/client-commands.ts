import type { Connection } from '../connection.js';
import type { ServerCommand } from '../server-command.js';
import { setClientName } from './connection-commands.js';

const client: ServerCommand = {
  name: 'client',
  arity: -2,
  flags: ['admin'],
  run: (connection, args) => {
    const word = args[1].toString('latin1').toLowerCase();
    const subcommand = subcommands[word];
    if (subcommand === undefined || !subcommand.arity.includes(args.length))
      connection.reply.error(
        `ERR unknown subcommand or wrong number of arguments for '${word}'. Try CLIENT HELP.`,
      );
    else subcommand.run(connection, args);
  },
};

const subcommands: Readonly<
  Record<string, { arity: readonly number[]; run: ServerCommand['run'] } | undefined>
> = {
  __proto__: null as never,
  id: { arity: [2], run: ({ id, reply }) => reply.integer(id) },
  getname: {
    arity: [2],
    run: ({ name, reply }) => (name === '' ? reply.null() : reply.bulkText(name)),
  },
  setname: {
    arity: [3],
    run: (connection, args) => {
      if (setClientName(connection, args[2])) connection.reply.ok();
    },
  },
  setinfo: { arity: [4], run: ({ reply }) => reply.ok() },
  'no-evict': { arity: [3], run: ({ reply }) => reply.ok() },
  'no-touch': { arity: [3], run: ({ reply }) => reply.ok() },
  info: { arity: [2], run: (connection) => connection.reply.bulkText(`${describe(connection)}\n`) },
  list: {
    arity: [2, 4],
    run: ({ state, reply }) =>
      reply.bulkText([...state.connections].map((other) => `${describe(other)}\n`).join('')),
  },
  unblock: {
    arity: [3, 4],
    run: ({ state, reply }, args) => {
      const word = args[3]?.toString('latin1').toUpperCase() ?? 'TIMEOUT';
      const id = args[2].toString('latin1');
      if (word !== 'TIMEOUT' && word !== 'ERROR') {
        reply.error('ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR');
      } else if (!/^-?\d+$/.test(id)) {
        reply.error('ERR value is not an integer or out of range');
      } else {
        const waiting = [...state.connections].find((other) => String(other.id) === id);
        reply.integer(waiting?.unblock(word === 'ERROR') ? 1 : 0);
      }
    },
  },
  kill: {
    arity: [3, 4],
    run: ({ state, reply }, args) => {
      const isById = args.length === 4 && args[2].toString('latin1').toLowerCase() === 'id';
      const wanted = args[args.length - 1].toString('latin1');
      const victims = [...state.connections].filter(
        (other) => (isById ? String(other.id) : other.address) === wanted,
      );
      if (args.length === 4) reply.integer(victims.length);
      else if (victims.length > 0) reply.ok();
      else reply.error('ERR No such client');
      for (const victim of victims) victim.end(); // after the reply: it may be this very client
    },
  },
};

const describe = (connection: Connection): string => {
  const ageSeconds = Math.floor((Date.now() - connection.createdAtMs) / 1000);
  const resp = connection.reply.isResp3 ? 3 : 2;
  return `id=${connection.id} addr=${connection.address} name=${connection.name} age=${ageSeconds} db=0 obl=${connection.unsentBytes} cmd=${connection.lastCommand} resp=${resp} namespace=${connection.namespace}`;
};

export const clientCommands: readonly ServerCommand[] = [client];
