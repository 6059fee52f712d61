import { matchesGlob } from '../../bytes/index.js';
import type { ServerCommand } from '../server-command.js';
import type { ServerState } from '../server-state.js';

const config: ServerCommand = {
  name: 'config',
  arity: -2,
  flags: ['admin'],
  run: ({ state, reply }, args) => {
    const word = args[1].toString('latin1').toLowerCase();
    if (word === 'get' && args.length >= 3) {
      const found = Object.entries(settingsOf(state)).filter(([name]) =>
        args
          .slice(2)
          .some((pattern) => matchesGlob(Buffer.from(pattern.toString().toLowerCase()), Buffer.from(name))),
      );
      reply.map(found.length);
      for (const [name, value] of found) {
        reply.bulkText(name);
        reply.bulkText(value);
      }
    } else if (word === 'resetstat' && args.length === 2) {
      for (const entry of state.commands.entries) entry.calls = 0;
      reply.ok();
    } else if (word === 'set' && args.length >= 4) {
      reply.error(
        `ERR Unsupported CONFIG parameter: ${args[2].toString()} cannot change while the server runs`,
      );
    } else {
      reply.error(`ERR unknown subcommand or wrong number of arguments for '${word}'. Try CONFIG GET.`);
    }
  },
};

/** What clients ask for, in alphabetical order: names as Redis and Kvrocks have them. */
const settingsOf = (state: ServerState): Readonly<Record<string, string>> => ({
  appendonly: 'no',
  bind: state.options.host,
  databases: '1',
  maxclients: String(state.options.maxClients),
  port: String(state.options.port),
  'protected-mode': state.options.isProtected ? 'yes' : 'no',
  'proto-max-bulk-len': String(state.options.request.bulkBytes),
  'rocksdb.wal_compression': 'no',
  'rocksdb.wal_size_limit_mb': '0',
  'rocksdb.wal_ttl_seconds': '0',
  save: '',
  timeout: '0',
});

export const configCommands: readonly ServerCommand[] = [config];
