import { createHash, timingSafeEqual } from 'node:crypto';
import { parseInteger } from '../../data-model/commands/index.js';
import type { Connection } from '../connection.js';
import type { ServerCommand } from '../server-command.js';

const ping: ServerCommand = {
  name: 'ping',
  arity: -1,
  flags: ['fast'],
  isForSubscribers: true,
  run: ({ reply, isSubscriber }, args) => {
    if (args.length > 2) reply.error("ERR wrong number of arguments for 'ping' command");
    else if (isSubscriber && !reply.isResp3) {
      reply.array(2);
      reply.bulkText('pong');
      reply.bulk(args[1] ?? Buffer.alloc(0));
    } else if (args.length === 2) reply.bulk(args[1]);
    else reply.simple('PONG');
  },
};

const echo: ServerCommand = {
  name: 'echo',
  arity: 2,
  flags: ['fast'],
  run: ({ reply }, args) => reply.bulk(args[1]),
};

const quit: ServerCommand = {
  name: 'quit',
  arity: -1,
  flags: ['fast'],
  isForSubscribers: true,
  isOpen: true,
  isTransactional: true,
  run: (connection) => {
    connection.reply.ok();
    connection.end();
  },
};

const select: ServerCommand = {
  name: 'select',
  arity: 2,
  flags: ['fast'],
  run: ({ reply }, args) => {
    if (args[1].toString('latin1') === '0') reply.ok();
    else if (parseInteger(args[1]) === undefined) reply.error('ERR value is not an integer or out of range');
    else reply.error('ERR DB index is out of range');
  },
};

const auth: ServerCommand = {
  name: 'auth',
  arity: -2,
  flags: ['fast'],
  isOpen: true,
  isTransactional: true,
  run: (connection, args) => {
    const { reply } = connection;
    if (args.length > 3) reply.error('ERR syntax error');
    else if (connection.state.options.password === '')
      reply.error('ERR Client sent AUTH, but no password is set');
    else if (authenticate(connection, args[args.length - 1], args.length === 3 ? args[1] : undefined))
      reply.ok();
    else reply.error(wrongPassword);
  },
};

/** HELLO is answered as Kvrocks does, to the byte; INFO tells more. */
const helloVersion = '4.0.0';

const hello: ServerCommand = {
  name: 'hello',
  arity: -1,
  flags: ['fast'],
  isOpen: true,
  isTransactional: true,
  run: (connection, args) => {
    const { reply } = connection;
    const version = args.length > 1 ? args[1].toString('latin1') : reply.isResp3 ? '3' : '2';
    if (!/^\d+$/.test(version)) {
      reply.error('ERR Protocol version is not an integer or out of range');
      return;
    }
    if (version !== '2' && version !== '3') {
      reply.error('NOPROTO unsupported protocol version');
      return;
    }
    for (let i = 2; i < args.length; i++) {
      const word = args[i].toString('latin1').toUpperCase();
      if (word === 'AUTH' && i + 2 < args.length) {
        if (!authenticate(connection, args[i + 2], args[i + 1])) {
          reply.error(wrongPassword);
          return;
        }
        i += 2;
      } else if (word === 'SETNAME' && i + 1 < args.length) {
        if (!setClientName(connection, args[++i])) return;
      } else {
        reply.error(`ERR Syntax error in HELLO option '${args[i].toString('latin1')}'`);
        return;
      }
    }
    if (!connection.session.isAuthenticated) {
      reply.error(
        'NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO AUTH <user> <pass> option can be used to authenticate the client and select the RESP protocol version at the same time',
      );
      return;
    }
    reply.isResp3 = version === '3';
    reply.map(6);
    reply.bulkText('server');
    reply.bulkText('redis');
    reply.bulkText('version');
    reply.bulkText(helloVersion);
    reply.bulkText('proto');
    reply.integer(Number(version));
    reply.bulkText('mode');
    reply.bulkText('standalone');
    reply.bulkText('role');
    reply.bulkText('master');
    reply.bulkText('modules');
    reply.nullArray();
  },
};

const reset: ServerCommand = {
  name: 'reset',
  arity: 1,
  flags: ['fast'],
  isForSubscribers: true,
  isOpen: true,
  isTransactional: true,
  run: (connection) => {
    connection.multi.discard();
    connection.state.pubSub.remove(connection);
    connection.state.monitor.remove(connection);
    connection.updateStream?.close();
    connection.updateStream = undefined;
    connection.name = '';
    connection.calls.replies = 'on';
    connection.session.logout();
    connection.reply.isResp3 = false;
    connection.reply.simple('RESET');
  },
};

/** Names appear in CLIENT LIST, so none may forge a field or a line there. False when refused (and answered). */
export const setClientName = (connection: Connection, name: Buffer): boolean => {
  if (!name.every((byte) => byte >= 0x21 && byte <= 0x7e)) {
    connection.reply.error('ERR Client names cannot contain spaces, newlines or special characters.');
    return false;
  }
  connection.name = name.toString('latin1');
  return true;
};

/** The password opens the default namespace to its administrator, a token its own namespace. */
const authenticate = (connection: Connection, secret: Buffer, user?: Buffer): boolean => {
  if (user !== undefined && user.toString() !== 'default') return false;
  const { options, namespaces } = connection.state;
  if (options.password !== '' && isSameSecret(secret, options.password)) {
    connection.session.login();
    return true;
  }
  const entry = namespaces.entries().find(([, token]) => isSameSecret(secret, token));
  if (entry === undefined || options.password === '') return false;
  connection.session.login(...entry);
  return true;
};

/** Compares in a time that tells nothing of how much was right. */
const isSameSecret = (given: Buffer, secret: string): boolean =>
  timingSafeEqual(digest(given), digest(secret));

const digest = (bytes: string | Buffer): Buffer => createHash('sha256').update(bytes).digest();

const wrongPassword = 'WRONGPASS invalid username-password pair or user is disabled.';

export const connectionCommands: readonly ServerCommand[] = [ping, echo, quit, select, auth, hello, reset];
