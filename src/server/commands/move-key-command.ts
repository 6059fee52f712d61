import { CommandContext, moveKey } from '../../data-model/commands/index.js';
import { defaultNamespace } from '../../data-model/index.js';
import type { ServerCommand } from '../server-command.js';

/** MOVEX key token: moves a key into the namespace of a token, over whatever has its name there. */
const movex: ServerCommand = {
  name: 'movex',
  arity: 3,
  flags: ['write'],
  keys: { first: 1, last: 1, step: 1 },
  isRefusedInMulti: true,
  run: (connection, args) => {
    const { context, reply, state } = connection;
    const token = args[2].toString();
    const { password } = state.options;
    const namespace = token === password ? defaultNamespace : state.namespaces.nameOf(token);
    if (password === '') reply.error('ERR Forbidden to move key when requirepass is empty');
    else if (namespace === undefined) reply.error('ERR Invalid password');
    else {
      context.begin();
      const target = new CommandContext(context.reader, context.services, namespace, context.batch);
      reply.integer(moveKey(context, target, args[1]) ? 1 : 0);
      if (context.batch.count === 0) return;
      connection.commitBuilt(context.batch);
      context.settle();
    }
  },
};

export const moveKeyCommands: readonly ServerCommand[] = [movex];
