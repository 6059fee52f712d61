import { matchesGlob } from '../../bytes/index.js';
import { parseInteger, parseSubcommands } from '../../data-model/commands/index.js';
import { Engine } from '../../engine/index.js';
import { mostClients } from '../most-clients.js';
import type { ServerCommand } from '../server-command.js';
import type { ServerSettings } from '../server-options.js';
import type { ServerState } from '../server-state.js';

/** A setting as clients see it. `write` answers why a value is refused, and is absent where it cannot change live. */
interface Setting {
  readonly read: (state: ServerState) => string;
  readonly write?: (state: ServerState, value: string) => string | undefined;
}

const config: ServerCommand = {
  name: 'config',
  arity: -2,
  subcommands: parseSubcommands('get -3 set -4 resetstat 2 rewrite 2'),
  flags: ['admin'],
  isAdmin: true,
  run: (connection, args) => {
    const { state, reply } = connection;
    const word = args[1].toString('latin1').toLowerCase();
    if (word === 'get') {
      const patterns = args.slice(2).map((pattern) => Buffer.from(pattern.toString('latin1').toLowerCase()));
      const found = [...settings].filter(([name]) =>
        patterns.some((pattern) => matchesGlob(pattern, Buffer.from(name))),
      );
      reply.map(found.length);
      for (const [name, setting] of found) {
        reply.bulkText(name);
        reply.bulkText(setting.read(state));
      }
    } else if (word === 'set' && args.length % 2 === 0) {
      const refusal = setAll(state, args.slice(2).map(String));
      if (refusal === undefined) reply.ok();
      else reply.error(refusal);
    } else if (word === 'resetstat') {
      for (const entry of state.commands.entries) {
        entry.calls = 0;
        entry.microseconds = 0;
      }
      reply.ok();
    } else if (word === 'rewrite') {
      reply.error('ERR the server runs without a config file: its settings are the flags of serve');
    } else {
      reply.error("ERR wrong number of arguments for 'config|set' command");
    }
  },
};

/** All or none: what was set before a refusal is set back. */
const setAll = (state: ServerState, words: readonly string[]): string | undefined => {
  const before = { ...state.options };
  const seen = new Set<string>();
  for (let i = 0; i < words.length; i += 2) {
    const name = words[i].toLowerCase();
    const refusal = seen.has(name) ? failed(name, 'duplicate parameter') : setOne(state, name, words[i + 1]);
    seen.add(name);
    if (refusal === undefined) continue;
    Object.assign(state.options, before);
    return refusal;
  }
  return undefined;
};

const setOne = (state: ServerState, name: string, value: string): string | undefined => {
  const setting = settings.get(name);
  if (setting === undefined) return `ERR Unknown option or number of arguments for CONFIG SET - '${name}'`;
  const reason = setting.write === undefined ? immutable : setting.write(state, value);
  return reason === undefined ? undefined : failed(name, reason);
};

const failed = (name: string, reason: string): string =>
  `ERR CONFIG SET failed (possibly related to argument '${name}') - ${reason}`;

const immutable = "can't set immutable config";

/** How the log is kept, in the units of Kvrocks. */
const retained = ({ store }: ServerState, what: 'maxBytes' | 'keepMs', unit: number): string =>
  String(store instanceof Engine ? Math.floor((store.retention?.[what] ?? 0) / unit) : 0);

/** The names of the settings that are whole numbers. */
type NumberSetting = {
  [Name in keyof ServerSettings]: ServerSettings[Name] extends number ? Name : never;
}[keyof ServerSettings];

const numberSetting = (name: NumberSetting, least: number, most = (): number => Infinity): Setting => ({
  read: ({ options }) => String(options[name]),
  write: ({ options }, value) => {
    const number = parseInteger(Buffer.from(value));
    if (number === undefined) return "argument couldn't be parsed into an integer";
    if (number < least) return `argument must be ${least} or more`;
    if (number > most()) return `argument must be ${most()} or less: the process may open no more files`;
    options[name] = number;
    return undefined;
  },
});

/** What clients ask for and cannot change: it takes its own value, since many set what they rely on. */
const fixed = (value: string, refusal = immutable): Setting => ({
  read: () => value,
  write: (_, wanted) => (wanted === value ? undefined : refusal),
});

/** Below this a client could not take an ordinary reply. */
const leastOutputBytes = 64 * 1024;

/** Names as Redis and Kvrocks have them where they do, and `redis-benchmark` and drivers ask for. */
const settings: ReadonlyMap<string, Setting> = new Map<string, Setting>([
  ['appendonly', fixed('no')],
  ['bind', { read: ({ options }) => options.host }],
  ['databases', fixed('1')],
  ['dir', { read: ({ store }) => (store instanceof Engine ? store.directory : '') }],
  ['maxclients', numberSetting('maxClients', 1, mostClients)],
  ['maxmemory', fixed('0')],
  ['maxmemory-policy', fixed('noeviction')],
  [
    'notify-keyspace-events',
    fixed('', 'there are no keyspace notifications: follow the changes by STREAMUPDATES or tailrace tail'),
  ],
  ['output-soft-limit-bytes', numberSetting('softOutputBytes', leastOutputBytes)],
  ['output-hard-limit-bytes', numberSetting('hardOutputBytes', leastOutputBytes)],
  ['port', { read: ({ options }) => String(options.port) }],
  ['protected-mode', { read: ({ options }) => (options.isProtected ? 'yes' : 'no') }],
  ['proto-max-bulk-len', { read: ({ options }) => String(options.request.bulkBytes) }],
  [
    'requirepass',
    {
      read: ({ options }) => options.password,
      write: ({ options, namespaces }, value) => {
        if (value === '' && !namespaces.isEmpty)
          return 'requirepass cannot be empty while there are namespaces';
        if (namespaces.nameOf(value) !== undefined) return 'it is the token of a namespace';
        if (value === '' && options.isProtected && !isLoopback(options.host))
          return 'the server is open to other machines';
        options.password = value;
        return undefined;
      },
    },
  ],
  ['pubsub-output-limit-bytes', numberSetting('subscriberOutputBytes', leastOutputBytes)],
  ['rocksdb.wal_compression', fixed('no')],
  ['rocksdb.wal_size_limit_mb', { read: (state) => retained(state, 'maxBytes', 2 ** 20) }],
  ['rocksdb.wal_ttl_seconds', { read: (state) => retained(state, 'keepMs', 1000) }],
  ['save', fixed('')],
  ['slowlog-log-slower-than', numberSetting('slowLogMicroseconds', -1)],
  ['slowlog-max-len', numberSetting('slowLogLength', 0)],
  ['timeout', numberSetting('idleTimeoutSeconds', 0)],
]);

export const isLoopback = (host: string): boolean =>
  host === 'localhost' || host === '::1' || /^127\./.test(host);

export const configCommands: readonly ServerCommand[] = [config];
