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

export const compactCommands: readonly ServerCommand[] = [compact];
