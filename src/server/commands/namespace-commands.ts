import type { Connection } from '../connection.js';
import type { ServerCommand } from '../server-command.js';

/** NAMESPACE GET ns|* · LIST · SET ns token · ADD ns token · DEL ns · CURRENT */
const namespace: ServerCommand = {
  name: 'namespace',
  arity: -2,
  flags: ['admin'],
  isRefusedInMulti: true,
  run: (connection, args) => {
    const { reply, state } = connection;
    const { namespaces, options } = state;
    const word = args[1].toString('latin1').toLowerCase();
    const name = args[2]?.toString() ?? '';
    const token = args[3]?.toString() ?? '';
    if (word === 'current' && args.length === 2) {
      reply.bulkText(connection.namespace);
      return;
    }
    if (!connection.session.isAdmin) {
      reply.error(adminRequired);
    } else if (
      (word === 'get' && args.length === 3 && name === '*') ||
      (word === 'list' && args.length === 2)
    ) {
      const all = [...namespaces.entries(), ['__namespace', options.password]].flat();
      reply.array(all.length);
      for (const text of all) reply.bulkText(text);
    } else if (word === 'get' && args.length === 3) {
      const found = name === '__namespace' ? options.password : namespaces.tokenOf(name);
      if (found === undefined) reply.null();
      else reply.bulkText(found);
    } else if (word === 'set' && args.length === 4) {
      answer(connection, namespaces.set(name, token, options.password), name, token);
    } else if (word === 'add' && args.length === 4) {
      answer(connection, namespaces.add(name, token, options.password), name, token);
    } else if (word === 'del' && args.length === 3) {
      answer(connection, namespaces.delete(name), name, undefined);
    } else {
      reply.error('ERR NAMESPACE subcommand must be one of GET, SET, DEL, ADD');
    }
  },
};

/** Whoever came in by a token that is no more has to leave. */
const answer = (
  { reply, state }: Connection,
  refusal: string | undefined,
  name: string,
  token: string | undefined,
): void => {
  if (refusal !== undefined) {
    reply.error(`ERR ${refusal}`);
    return;
  }
  for (const other of state.connections)
    if (other.session.token !== undefined && other.namespace === name && other.session.token !== token)
      other.end();
  reply.ok();
};

export const adminRequired = 'ERR admin permission required to perform the command';

export const namespaceCommands: readonly ServerCommand[] = [namespace];
