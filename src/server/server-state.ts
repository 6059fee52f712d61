import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import type { CommandServices } from '../data-model/commands/index.js';
import { writtenKeys } from '../data-model/index.js';
import { Engine, HeapProfiler, type Store } from '../engine/index.js';
import type { WriteBatchBuilder } from '../write-batch/index.js';
import { BlockedCalls } from './blocked-calls.js';
import { CallRate } from './call-rate.js';
import { ClientPause } from './clients/client-pause.js';
import { Monitor } from './clients/monitor.js';
import { SlowLog } from './clients/slow-log.js';
import { CommandTable } from './command-table.js';
import { Compaction } from './compaction.js';
import type { Connection } from './connection.js';
import { Departures } from './departures.js';
import { ActiveExpiry } from './expiry/active-expiry.js';
import { KeyWatch } from './key-watch.js';
import { Namespaces } from './namespaces.js';
import { PubSub } from './pubsub/pub-sub.js';
import type { ServerOptions, ServerSettings } from './server-options.js';

/** What all connections of a server share. */
export class ServerState {
  readonly store: Store;
  readonly services: CommandServices;
  readonly options: ServerSettings;
  readonly connections = new Set<Connection>();
  readonly watches = new KeyWatch();
  readonly blocked = new BlockedCalls();
  readonly departures: Departures;
  readonly heapProfiler: HeapProfiler;
  readonly pubSub = new PubSub();
  readonly namespaces: Namespaces;
  readonly pause = new ClientPause();
  readonly monitor = new Monitor();
  readonly slowLog = new SlowLog();
  /** Set when expired keys are deleted in the log. */
  readonly expiry: ActiveExpiry | undefined;
  /** Undefined for a store that is no engine. */
  readonly compaction: Compaction | undefined;
  readonly startedAtMs = Date.now();
  /** Tells this server from any other, and from itself before a restart. */
  readonly runId = randomBytes(20).toString('hex');
  readonly commands = new CommandTable();
  readonly callRate = new CallRate();
  readonly counters = {
    /** Of connections that are closed. */
    receivedBytes: 0,
    sentBytes: 0,
    connections: 0,
    rejectedConnections: 0,
    protocolErrors: 0,
    closedForOutput: 0,
    closedIdle: 0,
  };
  /** Whether batches came that another store had made. */
  hasTakenBatches = false;
  nextClientId = 1;

  constructor(store: Store, services: CommandServices, options: ServerOptions) {
    this.store = store;
    this.departures = new Departures(store);
    this.services = services;
    this.options = { ...options };
    const root = options.dumpDirectory || (store instanceof Engine ? join(store.directory, 'profiles') : '.');
    this.heapProfiler = new HeapProfiler({ root });
    this.expiry = options.expire === 'active' ? new ActiveExpiry(this) : undefined;
    this.compaction =
      store instanceof Engine
        ? new Compaction(store, {
            everyMs: options.compactEverySeconds * 1000,
            // What active expiry has not come to yet must still find its way into the log. And a key that has expired here
            // may be given more time by a batch that another store made long ago.
            dropsExpired: () => this.options.expire === 'lazy' && !this.hasTakenBatches,
            nowMs: () => services.nowMs(),
            onDefect: (error) => options.onDefect(error, 'compaction'),
          })
        : undefined;
    this.namespaces = new Namespaces(options.namespacesFile);
  }

  /** Bytes that have gone over all connections, the closed ones included. */
  netBytes(direction: 'receivedBytes' | 'sentBytes'): number {
    let total = this.counters[direction];
    for (const connection of this.connections) total += connection[direction];
    return total;
  }

  /**
   * Commits what a command made, and tells those who watch its keys or wait for them; whoever waits gets his turn by
   * `blocked.serve()` when the command is done. Returns the last sequence number.
   */
  commit(batch: Buffer): number {
    const { last } = this.store.commit(batch);
    this.#tell(batch);
    return last;
  }

  /** `commit` of what a builder holds. */
  commitBuilt(builder: WriteBatchBuilder): number {
    const { last } = this.store.commitBuilt(builder);
    if (this.expiry !== undefined || this.#isAwaited) this.#tell(builder.finish());
    return last;
  }

  get #isAwaited(): boolean {
    return !this.watches.isEmpty || !this.blocked.isEmpty;
  }

  #tell(batch: Buffer): void {
    this.expiry?.note(batch);
    if (!this.#isAwaited) return;
    const written = writtenKeys(batch);
    this.watches.touch(written);
    this.blocked.touch(written);
  }
}
