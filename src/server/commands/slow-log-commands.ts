import { parseSubcommands } from '../../data-model/commands/index.js';
import type { Connection } from '../connection.js';
import type { ServerCommand } from '../server-command.js';

/** SLOWLOG GET [count] · LEN · RESET */
const slowLog: ServerCommand = {
  name: 'slowlog',
  arity: -2,
  subcommands: parseSubcommands('get -2 len 2 reset 2'),
  flags: ['admin'],
  isAdmin: true,
  run: (connection, args) => {
    const { reply, state } = connection;
    const name = args[1].toString('latin1').toLowerCase();
    if (name === 'get' && args.length <= 3) {
      writeCalls(connection, args[2]?.toString('latin1') ?? '10');
    } else if (name === 'len') {
      reply.integer(state.slowLog.calls.length);
    } else if (name === 'reset') {
      state.slowLog.clear();
      reply.ok();
    } else {
      reply.error("ERR wrong number of arguments for 'slowlog|get' command");
    }
  },
};

const writeCalls = ({ reply, state }: Connection, count: string): void => {
  if (!/^(-1|\d+)$/.test(count)) {
    reply.error('ERR count should be greater than or equal to -1');
    return;
  }
  const { calls } = state.slowLog;
  const shown = count === '-1' ? calls : calls.slice(0, Number(count));
  reply.array(shown.length);
  for (const call of shown) {
    reply.array(6);
    reply.integer(call.id);
    reply.integer(Math.floor(call.atMs / 1000));
    reply.integer(call.microseconds);
    reply.array(call.args.length);
    for (const arg of call.args) reply.bulk(arg);
    reply.bulkText(call.address);
    reply.bulkText(call.clientName);
  }
};

/** MONITOR shows every command from now on; RESET or closing ends it. */
const monitor: ServerCommand = {
  name: 'monitor',
  arity: 1,
  flags: ['admin'],
  isAdmin: true,
  isRefusedInMulti: true,
  run: (connection) => {
    connection.state.monitor.add(connection);
    connection.reply.ok();
  },
};

export const slowLogCommands: readonly ServerCommand[] = [slowLog, monitor];
