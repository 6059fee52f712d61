import { matchesGlob } from '../../bytes/index.js';
import { fitsArity, keysOfCall, noKeys, parseSubcommands } from '../../data-model/commands/index.js';
import type { ReplyWriter } from '../../resp/index.js';
import { commandDocs, subcommandsOf, writeDoc } from '../command-docs/index.js';
import type { CommandTable, TableEntry } from '../command-table.js';
import type { ServerCommand } from '../server-command.js';
import { writeKeySpecs } from './key-specs.js';
import { keyUse } from './key-uses.js';

/**
 * COMMAND · COUNT · INFO [name …] · LIST [FILTERBY PATTERN glob] · DOCS [name …] · GETKEYS command … · GETKEYSANDFLAGS
 * command …
 */
const command: ServerCommand = {
  name: 'command',
  arity: -1,
  subcommands: parseSubcommands('count 2 docs -2 getkeys -4 getkeysandflags -4 info -2 list -2'),
  flags: ['loading', 'stale'],
  run: ({ reply, state }, args) => {
    const { commands } = state;
    const word = args[1]?.toString('latin1').toLowerCase();
    const named = (): readonly (TableEntry | undefined)[] =>
      args.length > 2 ? args.slice(2).map((name) => commands.find(name)) : commands.entries;
    if (word === undefined) writeInfos(reply, commands.entries);
    else if (word === 'count') reply.integer(commands.entries.length);
    else if (word === 'info') writeInfos(reply, named());
    else if (word === 'list') writeNames(reply, commands, args.slice(2));
    else if (word === 'docs')
      writeDocs(
        reply,
        args.length > 2 ? args.slice(2).map(String) : commands.entries.map(({ name }) => name),
      );
    else writeKeys(reply, commands, args.slice(2), word === 'getkeysandflags');
  },
};

const writeInfos = (reply: ReplyWriter, entries: readonly (TableEntry | undefined)[]): void => {
  reply.array(entries.length);
  for (const entry of entries) {
    if (entry === undefined) reply.null();
    else writeInfo(reply, entry);
  }
};

/** As of Redis 7. There are neither ACL categories nor tips, and subcommands are told by COMMAND DOCS. */
const writeInfo = (reply: ReplyWriter, entry: TableEntry): void => {
  const keys = entry.data?.keys ?? entry.server?.keys ?? noKeys;
  reply.array(10);
  reply.bulkText(entry.name);
  reply.integer(entry.arity);
  writeFlags(reply, flagsOf(entry));
  reply.integer(keys.first);
  reply.integer(keys.last);
  reply.integer(keys.step);
  reply.set(0);
  reply.set(0);
  writeKeySpecs(reply, entry);
  reply.set(0);
};

const flagsOf = ({ data, server, isQuick }: TableEntry): readonly string[] => {
  if (data === undefined) return server?.flags ?? [];
  const flags = [data.isWrite ? 'write' : 'readonly'];
  if (isQuick) flags.push('fast');
  if (data.wait !== undefined) flags.push('blocking');
  if (data.keys.numbered !== undefined || data.keysOf !== undefined) flags.push('movablekeys');
  return flags;
};

const writeNames = (reply: ReplyWriter, commands: CommandTable, filter: readonly Buffer[]): void => {
  const [by, kind] = filter.map((word) => word.toString('latin1').toUpperCase());
  if (by === 'FILTERBY' && filter.length === 3 && (kind === 'MODULE' || kind === 'ACLCAT')) {
    reply.array(0); // there are neither
    return;
  }
  if (filter.length !== 0 && (filter.length !== 3 || by !== 'FILTERBY' || kind !== 'PATTERN')) {
    reply.error('ERR syntax error');
    return;
  }
  const pattern = filter[2];
  const names = commands.entries
    .map(({ name }) => name)
    .filter((name) => pattern === undefined || matchesGlob(pattern, Buffer.from(name)));
  reply.array(names.length);
  for (const name of names) reply.bulkText(name);
};

/** What redis-cli completes names from, and shows as hints and by HELP. Subcommands are named as in `client|list`. */
const writeDocs = (reply: ReplyWriter, names: readonly string[]): void => {
  const known = names.flatMap((name) => commandDocs.get(name.toLowerCase().replace('|', ' ')) ?? []);
  reply.map(known.length);
  for (const doc of known) writeDoc(reply, doc, subcommandsOf(doc.name));
};

const writeKeys = (
  reply: ReplyWriter,
  commands: CommandTable,
  args: readonly Buffer[],
  hasFlags: boolean,
): void => {
  const entry = commands.find(args[0]);
  if (entry === undefined) {
    reply.error('ERR Invalid command specified');
    return;
  }
  const { arity, data, name, server } = entry;
  if (!fitsArity(arity, args)) {
    reply.error('ERR Invalid number of arguments specified for command');
    return;
  }
  const keys = keysOfCall(data ?? { keys: server?.keys ?? noKeys }, args);
  if (keys.length === 0) {
    reply.error('ERR The command has no key arguments');
    return;
  }
  reply.array(keys.length);
  for (const [index, key] of keys.entries()) {
    if (hasFlags) reply.array(2);
    reply.bulk(key);
    if (hasFlags) writeFlags(reply, keyUse(name, data?.isWrite === true, index, args));
  }
};

const writeFlags = (reply: ReplyWriter, flags: readonly string[]): void => {
  reply.set(flags.length);
  for (const flag of flags) reply.simple(flag);
};

export const commandCommands: readonly ServerCommand[] = [command];
