import { Engine } from '../../engine/index.js';
import { replyWhen } from '../reply-when.js';
import type { ServerCommand } from '../server-command.js';

/** COMPACT: drops what nobody can see any more, in the background, as in Kvrocks. INFO tells how far it is. */
const compact: ServerCommand = {
  name: 'compact',
  arity: 1,
  flags: ['admin', 'noscript'],
  isAdmin: true,
  run: ({ state: { compaction }, reply }) => {
    if (compaction === undefined) reply.error('ERR this store has nothing to compact');
    else if (compaction.isRunning) reply.error('ERR a compaction is under way');
    else {
      compaction.start();
      reply.ok();
    }
  },
};

/** FLUSHMEMTABLE [ASYNC|SYNC]: writes what is in memory to the data file, so that an open has nothing to replay. */
const flushMemtable: ServerCommand = {
  name: 'flushmemtable',
  arity: -1,
  flags: ['admin', 'noscript'],
  isAdmin: true,
  isRefusedInMulti: true,
  run: (connection, args) => {
    const { reply, state } = connection;
    const { store, options } = state;
    const word = args[1]?.toString('latin1').toLowerCase();
    if (args.length > 2 || (word !== undefined && word !== 'async' && word !== 'sync'))
      reply.error('ERR syntax error');
    else if (!(store instanceof Engine)) reply.error('ERR this store has no data file');
    else if (word === 'async') {
      store.flush().catch((error: unknown) => options.onDefect(error, 'flushmemtable'));
      reply.ok();
    } else replyWhen(connection, 'flushmemtable', store.flush(), () => reply.ok());
  },
};

export const compactCommands: readonly ServerCommand[] = [compact, flushMemtable];
