import type { ReplyWriter } from '../../resp/index.js';
import type { TableEntry } from '../command-table.js';
import type { ServerCommand } from '../server-command.js';

const command: ServerCommand = {
  name: 'command',
  arity: -1,
  flags: ['loading', 'stale'],
  run: ({ reply, state }, args) => {
    const { commands } = state;
    const word = args[1]?.toString('latin1').toLowerCase();
    if (word === undefined) {
      reply.array(commands.entries.length);
      for (const entry of commands.entries) writeInfo(reply, entry);
    } else if (word === 'count') {
      reply.integer(commands.entries.length);
    } else if (word === 'info') {
      const entries = args.length > 2 ? args.slice(2).map((name) => commands.find(name)) : commands.entries;
      reply.array(entries.length);
      for (const entry of entries) {
        if (entry === undefined) reply.nullArray();
        else writeInfo(reply, entry);
      }
    } else if (word === 'list') {
      reply.array(commands.entries.length);
      for (const { name } of commands.entries) reply.bulkText(name);
    } else if (word === 'docs') {
      writeDocs(reply, args.length > 2 ? args.slice(2).map((name) => commands.find(name)) : commands.entries);
    } else {
      reply.error(`ERR unknown subcommand '${word}'. Try COMMAND COUNT, INFO, LIST or DOCS.`);
    }
  },
};

/** name, arity, flags, first key, last key, step. */
const writeInfo = (reply: ReplyWriter, entry: TableEntry): void => {
  const keys = entry.data?.keys ?? entry.server?.keys ?? { first: 0, last: 0, step: 0 };
  const flags =
    entry.data === undefined ? (entry.server?.flags ?? []) : [entry.data.isWrite ? 'write' : 'readonly'];
  reply.array(6);
  reply.bulkText(entry.name);
  reply.integer(entry.arity);
  reply.array(flags.length);
  for (const flag of flags) reply.bulkText(flag);
  reply.integer(keys.first);
  reply.integer(keys.last);
  reply.integer(keys.step);
};

/** What redis-cli completes names from. */
const writeDocs = (reply: ReplyWriter, entries: readonly (TableEntry | undefined)[]): void => {
  const known = entries.filter((entry) => entry !== undefined);
  reply.map(known.length);
  for (const entry of known) {
    reply.bulkText(entry.name);
    reply.map(1);
    reply.bulkText('group');
    reply.bulkText(entry.data === undefined ? 'server' : 'generic');
  }
};

export const commandCommands: readonly ServerCommand[] = [command];
