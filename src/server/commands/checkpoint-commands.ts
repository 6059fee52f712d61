import { realpathSync } from 'node:fs';
import { basename, dirname, join, relative, resolve, sep } from 'node:path';
import { Engine } from '../../engine/index.js';
import { TailraceError } from '../../errors/index.js';
import { inaccessible } from '../../files/index.js';
import { runCheckpointRequest } from '../checkpoint-request.js';
import { replyWhen } from '../reply-when.js';
import type { ServerCommand } from '../server-command.js';

/** CHECKPOINT OPEN · CLOSE, and what is in `checkpointSyntax`. Answers in JSON, CLOSE with OK. */
const checkpoint: ServerCommand = {
  name: 'checkpoint',
  arity: -2,
  flags: ['admin'],
  isAdmin: true,
  isRefusedInMulti: true,
  run: (connection, args) => {
    const { reply, state } = connection;
    const { store, options } = state;
    if (!(store instanceof Engine)) {
      reply.error('ERR this store has no checkpoints');
      return;
    }
    const scope = {
      checkpoints: store.checkpoints,
      creator: 'resp',
      targetPath: (wanted: string) =>
        pathInside(options.restoreDirectory || dirname(store.directory), wanted),
    };
    const words = args.slice(1).map(String);
    const action = words[0].toLowerCase();
    if (action === 'open' && words.length === 2) {
      const opened = store.checkpoints.show(words[1]);
      connection.session.readAt(store.checkpoints.open(words[1]));
      reply.bulkText(JSON.stringify(opened));
      return;
    }
    if (action === 'close' && words.length === 1) {
      connection.session.readAt(undefined);
      reply.ok();
      return;
    }
    replyWhen(connection, 'checkpoint', runCheckpointRequest(scope, words), (answer) =>
      reply.bulkText(JSON.stringify(answer)),
    );
  },
};

/** A path to be made below `root`, links followed. @throws TailraceError `FILE_INACCESSIBLE` */
const pathInside = (root: string, wanted: string): string => {
  let place: string;
  let way: string;
  try {
    const target = resolve(root, wanted);
    place = join(realpathSync(dirname(target)), basename(target));
    way = relative(realpathSync(root), place);
  } catch (cause) {
    throw inaccessible(wanted, cause);
  }
  if (way === '' || way === '..' || way.startsWith(`..${sep}`))
    throw new TailraceError('FILE_INACCESSIBLE', `${wanted} is not below ${root}`, {
      context: { directory: wanted, root },
      remedy: 'Name a new place there, or start serve with another --restore-dir.',
    });
  return place;
};

export const checkpointCommands: readonly ServerCommand[] = [checkpoint];
