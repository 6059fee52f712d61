import type { ServerCommand } from '../server-command.js';

const multi: ServerCommand = {
  name: 'multi',
  arity: 1,
  flags: ['fast'],
  isTransactional: true,
  run: (connection) => {
    if (connection.multi.isOpen) {
      connection.reply.error('ERR MULTI calls can not be nested');
      return;
    }
    connection.multi.begin();
    connection.reply.ok();
  },
};

const exec: ServerCommand = {
  name: 'exec',
  arity: 1,
  flags: [],
  isTransactional: true,
  run: (connection) => {
    if (connection.multi.isOpen) connection.multi.execute();
    else connection.reply.error('ERR EXEC without MULTI');
  },
};

const discard: ServerCommand = {
  name: 'discard',
  arity: 1,
  flags: ['fast'],
  isTransactional: true,
  run: (connection) => {
    if (!connection.multi.isOpen) {
      connection.reply.error('ERR DISCARD without MULTI');
      return;
    }
    connection.multi.discard();
    connection.reply.ok();
  },
};

const watch: ServerCommand = {
  name: 'watch',
  arity: -2,
  flags: ['fast'],
  keys: { first: 1, last: -1, step: 1 },
  isTransactional: true,
  run: (connection, args) => {
    if (connection.multi.isOpen) {
      connection.reply.error('ERR WATCH inside MULTI is not allowed');
      return;
    }
    connection.multi.watch(args.slice(1));
    connection.reply.ok();
  },
};

const unwatch: ServerCommand = {
  name: 'unwatch',
  arity: 1,
  flags: ['fast'],
  run: (connection) => {
    connection.multi.unwatch();
    connection.reply.ok();
  },
};

export const transactionCommands: readonly ServerCommand[] = [multi, exec, discard, watch, unwatch];
