import {
  CommandContext,
  parseInteger,
  parseSubcommands,
  readString,
} from '../../data-model/commands/index.js';
import type { ValueType } from '../../data-model/index.js';
import type { Connection } from '../connection.js';
import { refusedCommands } from '../refused-commands.js';
import type { ServerCommand } from '../server-command.js';

/** What tools and drivers ask of any Redis, answered for a store that is one server, without Lua, ACLs and modules. */
const answers = (
  name: string,
  arity: number,
  run: ServerCommand['run'],
  flags: readonly string[] = ['fast'],
): ServerCommand => ({ name, arity, flags, run });

const refuses = (name: string, refusal: string): ServerCommand => ({
  ...answers(name, -1, ({ reply }) => reply.error(refusal)),
  refusal,
});

/** There are no replicas to wait for. */
const wait = answers('wait', 3, ({ reply }, args) => {
  const timeoutMs = parseInteger(args[2]);
  if (parseInteger(args[1]) === undefined) reply.error('ERR value is not an integer or out of range');
  else if (timeoutMs === undefined) reply.error('ERR timeout is not an integer or out of range');
  else if (timeoutMs < 0) reply.error('ERR timeout is negative');
  else reply.integer(0);
});

/** REPLICAOF NO ONE is what this server is. */
const replicaOf = (name: string): ServerCommand =>
  answers(name, 3, ({ reply }, args) => {
    if (isWord(args[1], 'no') && isWord(args[2], 'one')) reply.ok();
    else reply.error('ERR there is no replication: follow another store with migrate or a pipeline');
  });

const lastSave = answers('lastsave', 1, ({ reply, state }) =>
  reply.integer(Math.floor(state.startedAtMs / 1000)),
);

const moduleList = answers('module', -2, ({ reply }, args) => {
  if (isWord(args[1], 'list')) reply.array(0);
  else reply.error('ERR modules cannot be loaded');
});

/** Nothing is sampled: the slow log tells of slow commands. */
const latency: ServerCommand = {
  ...answers('latency', -2, ({ reply }, args) => {
    const word = args[1].toString('latin1').toLowerCase();
    if (word === 'latest' || word === 'history') reply.array(0);
    else if (word === 'reset') reply.integer(0);
    else reply.error('ERR latency events are not sampled: see SLOWLOG');
  }),
  subcommands: parseSubcommands('doctor 2 graph 3 histogram -2 history 3 latest 2 reset -2'),
};

const acl = answers('acl', -2, (connection, args) => {
  const { reply } = connection;
  if (isWord(args[1], 'whoami')) reply.bulkText('default');
  else reply.error('ERR there are no users but namespaces: see NAMESPACE');
});

/** OBJECT ENCODING | REFCOUNT | IDLETIME | FREQ key */
const object: ServerCommand = {
  name: 'object',
  arity: -2,
  subcommands: parseSubcommands('encoding 3 refcount 3 idletime 3 freq 3'),
  flags: ['readonly'],
  keys: { first: 2, last: 2, step: 1 },
  run: (connection, args) => {
    const { reply } = connection;
    const word = args[1].toString('latin1').toLowerCase();
    const type = typeOf(connection, args[2]);
    if (type === undefined) reply.null();
    else if (word === 'encoding')
      reply.bulkText(type === 'string' ? stringEncoding(contextOf(connection), args[2]) : encodings[type]);
    else if (word === 'refcount') reply.integer(1);
    else if (word === 'idletime') reply.integer(0);
    else reply.error('ERR An LFU maxmemory policy is not selected, access frequency not tracked.');
  },
};

const contextOf = ({ state, namespace }: Connection): CommandContext =>
  new CommandContext(state.store, state.services, namespace);

const typeOf = (connection: Connection, key: Buffer): ValueType | undefined =>
  contextOf(connection).findAny(key)?.type;

/** As Redis keeps a string that was set whole. */
const stringEncoding = (context: CommandContext, key: Buffer): string => {
  const value = readString(context, key);
  if (!Buffer.isBuffer(value) || value.length > 44) return 'raw';
  const text = value.toString('latin1');
  return /^(0|-?[1-9]\d{0,18})$/.test(text) && BigInt.asIntN(64, BigInt(text)) === BigInt(text)
    ? 'int'
    : 'embstr';
};

/** The names that Redis has for what comes nearest. */
const encodings: Readonly<Record<ValueType, string>> = {
  string: 'raw',
  hash: 'hashtable',
  list: 'quicklist',
  set: 'hashtable',
  zset: 'skiplist',
  bitmap: 'raw',
  sortedint: 'skiplist',
  stream: 'stream',
  bloom: 'raw',
  json: 'raw',
  hyperloglog: 'raw',
  tdigest: 'raw',
  timeseries: 'raw',
};

const shutdownWords = new Set(['nosave', 'save', 'now', 'force']);

/** SHUTDOWN [NOSAVE | SAVE] [NOW] [FORCE]: everything acknowledged is kept in either case. */
const shutdown: ServerCommand = {
  name: 'shutdown',
  arity: -1,
  flags: ['admin'],
  isAdmin: true,
  isRefusedInMulti: true,
  run: (connection, args) => {
    const { onShutdown } = connection.state.options;
    const words = args.slice(1).map((arg) => arg.toString('latin1').toLowerCase());
    if (words.length === 1 && words[0] === 'abort') connection.reply.error('ERR No shutdown in progress.');
    else if (!words.every((word) => shutdownWords.has(word))) connection.reply.error('ERR syntax error');
    else if (onShutdown === undefined)
      connection.reply.error('ERR the server is part of a program that does not stop for its clients');
    else onShutdown();
  },
};

const isWord = (arg: Buffer, word: string): boolean => arg.toString('latin1').toLowerCase() === word;

export const compatibilityCommands: readonly ServerCommand[] = [
  wait,
  lastSave,
  moduleList,
  latency,
  acl,
  object,
  shutdown,
  ...['replicaof', 'slaveof'].map(replicaOf),
  ...refusedCommands.flatMap(({ commands, error }) => commands.map(({ name }) => refuses(name, error))),
];
