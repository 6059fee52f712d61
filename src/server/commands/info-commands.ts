import process from 'node:process';
import { Engine } from '../../engine/index.js';
import { packageVersion } from '../../files/index.js';
import { memoryOwners } from '../memory-owners.js';
import { redisVersion } from '../redis-version.js';
import type { ServerCommand } from '../server-command.js';
import type { ServerState } from '../server-state.js';

const version = packageVersion();

const info: ServerCommand = {
  name: 'info',
  arity: -1,
  flags: [],
  run: ({ state, reply }, args) => {
    const wanted = args.slice(1).map((arg) => arg.toString('latin1').toLowerCase());
    const isAll =
      wanted.length === 0 ||
      wanted.some((word) => word === 'all' || word === 'everything' || word === 'default');
    const text = Object.entries(sections)
      .filter(([name]) => isAll || wanted.includes(name))
      .map(([name, lines]) => `# ${name[0].toUpperCase()}${name.slice(1)}\r\n${renderLines(lines(state))}`)
      .join('\r\n');
    reply.verbatim(text);
  },
};

/** SEQUENCE: that of the newest durable write. SEQUENCE APPLIED: that of the newest write which a read can see. */
const sequence: ServerCommand = {
  name: 'sequence',
  arity: -1,
  flags: ['readonly', 'fast'],
  run: ({ state, reply }, args) => {
    if (args.length === 1) reply.integer(state.store.durableSequence);
    else if (args.length === 2 && args[1].toString('latin1').toUpperCase() === 'APPLIED')
      reply.integer(state.store.sequence);
    else reply.error('ERR syntax error');
  },
};

const time: ServerCommand = {
  name: 'time',
  arity: 1,
  flags: ['fast'],
  run: ({ state, reply }) => {
    const now = state.services.nowMs();
    reply.array(2);
    reply.bulkText(String(Math.floor(now / 1000)));
    reply.bulkText(String(Math.floor((now % 1000) * 1000)));
  },
};

const role: ServerCommand = {
  name: 'role',
  arity: 1,
  flags: ['fast'],
  run: ({ state, reply }) => {
    reply.array(3); // clients read the third, so it is there although it is always empty
    reply.bulkText('master');
    reply.integer(state.store.durableSequence);
    reply.array(0);
  },
};

/** Who needs the oldest part of the log. */
const keptBy = ({ store }: ServerState): string => {
  const [first] = store instanceof Engine ? (store.retention?.holds ?? []) : [];
  if (first === undefined) return 'all';
  return first.name === undefined ? first.holder : `${first.holder}=${first.name}`;
};

const snakeCase = (name: string): string => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

/** As Redis shows sizes: 1.50M. */
const humanBytes = (bytes: number): string => {
  const unit = bytes < 1024 ? 0 : Math.min(4, Math.floor(Math.log2(bytes) / 10));
  return unit === 0 ? `${bytes}B` : `${(bytes / 1024 ** unit).toFixed(2)}${'BKMGT'[unit]}`;
};

type Lines = readonly (readonly [name: string, value: string | number])[];

const renderLines = (lines: Lines): string => lines.map(([name, value]) => `${name}:${value}\r\n`).join('');

const sections: Readonly<Record<string, (state: ServerState) => Lines>> = {
  server: (state) => [
    ['tailrace_version', version],
    ['redis_version', redisVersion],
    ['redis_mode', 'standalone'],
    ['server_name', 'tailrace'],
    ['node_version', process.version],
    ['os', `${process.platform} ${process.arch}`],
    ['process_id', process.pid],
    ['run_id', state.runId],
    ['tcp_port', state.options.port],
    ['uptime_in_seconds', Math.floor((Date.now() - state.startedAtMs) / 1000)],
    ['uptime_in_days', Math.floor((Date.now() - state.startedAtMs) / 86_400_000)],
  ],
  clients: (state) => [
    ['connected_clients', state.connections.size],
    ['maxclients', state.options.maxClients],
    ['monitor_clients', state.monitor.size],
    ['pubsub_clients', [...state.connections].filter((client) => client.isSubscriber).length],
    ['update_streams', [...state.connections].filter((client) => client.updateStream !== undefined).length],
    ['blocked_clients', [...state.connections].filter((client) => client.isWaiting).length],
  ],
  memory: (state) => {
    const usage = process.memoryUsage();
    return [
      ['used_memory', usage.heapUsed + usage.external],
      ['used_memory_human', humanBytes(usage.heapUsed + usage.external)],
      ['used_memory_rss', usage.rss],
      ['used_memory_rss_human', humanBytes(usage.rss)],
      ['used_memory_heap', usage.heapUsed],
      ...Object.entries(memoryOwners(state)).map(
        ([owner, bytes]) => [`used_memory_${snakeCase(owner)}`, bytes] as const,
      ),
      ['mem_allocator', 'v8'],
      ['memory_profiling', state.heapProfiler.isActive ? 1 : 0],
    ];
  },
  persistence: (state) => {
    const stats = state.store instanceof Engine ? state.store.stats() : undefined;
    return [
      ['loading', 0],
      ['compaction_in_progress', state.compaction?.isRunning === true ? 1 : 0],
      ['last_compaction_dropped', state.compaction?.last?.dropped ?? 0],
      ['last_compaction_seconds', Math.round((state.compaction?.last?.tookMs ?? 0) / 1000)],
      ['log_segments', stats?.logSegments ?? 0],
      ['log_bytes', stats?.logBytes ?? 0],
      ['log_first_sequence', stats?.firstLogSequence ?? 0],
      ['log_flushed_sequence', stats?.flushedSequence ?? 0],
      ['log_kept_by', keptBy(state)],
      ['log_slots', state.store instanceof Engine ? state.store.slots.list().length : 0],
      ['log_slots_lost', state.store instanceof Engine ? (state.store.retention?.lostSlots.length ?? 0) : 0],
      ['log_failed', state.store instanceof Engine && state.store.failure !== undefined ? 1 : 0],
    ];
  },
  stats: (state) => [
    ['total_connections_received', state.counters.connections],
    ['rejected_connections', state.counters.rejectedConnections],
    ['total_commands_processed', state.commands.calls],
    ['instantaneous_ops_per_sec', state.callRate.since(state.commands.calls)],
    ['total_net_input_bytes', state.netBytes('receivedBytes')],
    ['total_net_output_bytes', state.netBytes('sentBytes')],
    ['protocol_errors', state.counters.protocolErrors],
    ['client_output_buffer_limit_disconnections', state.counters.closedForOutput],
    ['idle_disconnections', state.counters.closedIdle],
    ['expired_keys', state.expiry?.expiredKeys ?? 0],
    ['pubsub_channels', state.pubSub.count('channel')],
    ['pubsub_patterns', state.pubSub.count('pattern')],
    ['slowlog_count', state.slowLog.calls.length],
  ],
  replication: (state) => [
    ['role', 'master'],
    ['connected_slaves', 0],
    ['master_repl_offset', state.store.durableSequence],
  ],
  commandstats: (state) =>
    state.commands.entries
      .filter((entry) => entry.calls > 0)
      .map(({ name, calls, microseconds }) => {
        const perCall = (microseconds / calls).toFixed(2);
        return [
          `cmdstat_${name}`,
          `calls=${calls},usec=${Math.round(microseconds)},usec_per_call=${perCall}`,
        ] as const;
      }),
  cpu: () => {
    const { user, system } = process.cpuUsage();
    return [
      ['used_cpu_sys', (system / 1e6).toFixed(6)],
      ['used_cpu_user', (user / 1e6).toFixed(6)],
    ];
  },
  keyspace: (state) => {
    const stats = state.store instanceof Engine ? state.store.stats() : undefined;
    const keys = stats?.keys['metadata'] ?? 0;
    return [
      ...(keys > 0 ? [['db0', `keys=${keys},expires=0,avg_ttl=0,expired=0`] as const] : []),
      ['sequence', state.store.durableSequence],
      ['used_db_size', stats === undefined ? 0 : stats.dataBytes + stats.logBytes],
    ];
  },
};

export const infoCommands: readonly ServerCommand[] = [info, sequence, time, role];
