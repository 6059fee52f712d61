import type { CommandServices } from '../data-model/index.js';
import type { Store } from '../engine/index.js';
import { CommandTable } from './command-table.js';
import type { Connection } from './connection.js';
import { KeyWatch } from './key-watch.js';
import type { ServerOptions } from './server-options.js';

/** What all connections of a server share. */
export interface ServerState {
  readonly store: Store;
  readonly services: CommandServices;
  readonly options: ServerOptions;
  readonly connections: Set<Connection>;
  readonly watches: KeyWatch;
  readonly startedAtMs: number;
  readonly commands: CommandTable;
  readonly counters: {
    connections: number;
    rejectedConnections: number;
    protocolErrors: number;
    closedForOutput: number;
  };
  nextClientId: number;
}

export const newServerState = (
  store: Store,
  services: CommandServices,
  options: ServerOptions,
): ServerState => ({
  store,
  services,
  options,
  connections: new Set(),
  watches: new KeyWatch(),
  startedAtMs: Date.now(),
  commands: new CommandTable(),
  counters: { connections: 0, rejectedConnections: 0, protocolErrors: 0, closedForOutput: 0 },
  nextClientId: 1,
});
