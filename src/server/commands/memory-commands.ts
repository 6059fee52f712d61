import process from 'node:process';
import { getHeapSpaceStatistics, getHeapStatistics } from 'node:v8';
import { parseSubcommands } from '../../data-model/commands/index.js';
import { storedBytes } from '../../data-model/index.js';
import { Engine, HeapProfiler } from '../../engine/index.js';
import { isTailraceError } from '../../errors/index.js';
import { memoryOwners } from '../memory-owners.js';
import type { ServerCommand } from '../server-command.js';
import type { ServerState } from '../server-state.js';

/**
 * KPROFILE MEMORY ENABLE | DISABLE | STATUS | DUMP directory: heap profiling while the server runs, by the words of
 * Apache Kvrocks. DUMP answers with the path of a `.heapprofile`; a summary in JSON lies beside it.
 */
const kprofile: ServerCommand = {
  name: 'kprofile',
  arity: -3,
  flags: ['admin', 'noscript'],
  isAdmin: true,
  run: (connection, args) => {
    const { reply } = connection;
    const [subject, action] = args.slice(1, 3).map((arg) => arg.toString('latin1').toLowerCase());
    const run = subject === 'memory' ? actions.get(action) : undefined;
    if (run === undefined)
      reply.error('ERR unknown subcommand. Try KPROFILE MEMORY ENABLE|DISABLE|STATUS|DUMP dir.');
    else if (args.length !== (action === 'dump' ? 4 : 3)) reply.error('ERR wrong number of arguments');
    else if (!HeapProfiler.isSupported) reply.error('ERR memory profiling is not supported by this Node.js');
    else
      try {
        run(connection, args);
      } catch (error) {
        if (!isTailraceError(error)) throw error;
        reply.error(`ERR ${error.message}`);
      }
  },
};

const actions: ReadonlyMap<string, ServerCommand['run']> = new Map(
  Object.entries<ServerCommand['run']>({
    enable: ({ state, reply }) => {
      state.heapProfiler.enable();
      reply.ok();
    },
    disable: ({ state, reply }) => {
      state.heapProfiler.disable();
      reply.ok();
    },
    status: ({ state, reply }) => reply.bulkText(state.heapProfiler.isActive ? 'enabled' : 'disabled'),
    dump: ({ state, reply }, args) =>
      reply.bulkText(state.heapProfiler.dump(args[3].toString(), memoryOwners(state)).profile),
  }),
);

/** MEMORY USAGE key [SAMPLES n] | STATS | DOCTOR | MALLOC-STATS | PURGE */
const memory: ServerCommand = {
  name: 'memory',
  arity: -2,
  subcommands: parseSubcommands('usage -3 stats 2 doctor 2 malloc-stats 2 purge 2'),
  flags: ['readonly'],
  keys: { first: 2, last: 2, step: 1 },
  run: ({ state, reply, namespace }, args) => {
    const action = args[1].toString('latin1').toLowerCase();
    const samples = samplesOf(args.slice(3));
    if (action === 'usage' && args.length > 3 && samples === undefined) {
      reply.error('ERR syntax error');
    } else if (action === 'usage') {
      const bytes = storedBytes(state.store, namespace, args[2], state.services.nowMs(), samples);
      if (bytes === undefined) reply.null();
      else reply.integer(bytes);
    } else if (action === 'stats') {
      const figures = Object.entries(memoryFigures(state));
      reply.map(figures.length);
      for (const [name, value] of figures) {
        reply.bulkText(name);
        reply.integer(value);
      }
    } else if (action === 'doctor') {
      reply.verbatim(diagnosis(state));
    } else if (action === 'malloc-stats') {
      reply.verbatim(heapSpaces());
    } else {
      reply.ok(); // PURGE: V8 gives memory back by itself
    }
  },
};

/** SAMPLES n: how many elements are looked at; 0 = all. */
const samplesOf = (words: readonly Buffer[]): number | undefined => {
  const [word, count] = words.map((bytes) => bytes.toString('latin1').toUpperCase());
  if (words.length !== 2 || word !== 'SAMPLES' || !/^\d+$/.test(count)) return undefined;
  return Number(count) || Number.POSITIVE_INFINITY;
};

const memoryFigures = (state: ServerState): Record<string, number> => {
  const { rss, heapTotal, heapUsed, external, arrayBuffers } = process.memoryUsage();
  const keys = state.store instanceof Engine ? (state.store.stats().keys['metadata'] ?? 0) : 0;
  const owners = Object.entries(memoryOwners(state)).map(
    ([name, bytes]) => [`owner.${name}`, bytes] as const,
  );
  return {
    'total.allocated': heapUsed + external,
    rss,
    'heap.total': heapTotal,
    'heap.used': heapUsed,
    'heap.limit': getHeapStatistics().heap_size_limit,
    external,
    'external.array-buffers': arrayBuffers,
    ...Object.fromEntries(owners),
    'keys.count': keys,
    clients: state.connections.size,
  };
};

const diagnosis = (state: ServerState): string => {
  const figures = memoryFigures(state);
  const heapShare = figures['heap.used'] / figures['heap.limit'];
  const findings: string[] = [];
  if (heapShare > 0.8)
    findings.push(
      `The JavaScript heap is ${Math.round(heapShare * 100)} % of its limit. Find out what fills it with KPROFILE MEMORY, or raise --max-old-space-size.`,
    );
  if (figures['owner.outputBuffers'] > state.options.softOutputBytes)
    findings.push(
      `Clients have not read ${mebibytes(figures['owner.outputBuffers'])} of replies. CLIENT LIST shows them (omem).`,
    );
  if (figures['external'] > 2 * ownedBytes(figures) + 256 * 2 ** 20)
    findings.push(
      `${mebibytes(figures['external'])} lie outside the JavaScript heap, and only ${mebibytes(ownedBytes(figures))} have a known owner.`,
    );
  const snapshots = state.store instanceof Engine ? state.store.stats().snapshots : 0;
  if (snapshots > 100) findings.push(`${snapshots} snapshots are open; each keeps old versions in memory.`);
  return findings.length === 0
    ? 'The memory of this server is in order.'
    : findings.map((finding) => `- ${finding}`).join('\n');
};

const heapSpaces = (): string =>
  getHeapSpaceStatistics()
    .map(
      (space) =>
        `${space.space_name}: ${space.space_used_size} bytes used of ${space.physical_space_size} in memory`,
    )
    .join('\n');

const ownedBytes = (figures: Readonly<Record<string, number>>): number =>
  Object.entries(figures).reduce(
    (total, [name, bytes]) => total + (name.startsWith('owner.') ? bytes : 0),
    0,
  );

const mebibytes = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(1)} MiB`;

/** DISK USAGE key: Kvrocks' words for MEMORY USAGE. */
const disk: ServerCommand = {
  name: 'disk',
  arity: 3,
  flags: ['readonly'],
  keys: { first: 2, last: 2, step: 1 },
  run: (connection, args) => {
    if (args[1].toString('latin1').toLowerCase() === 'usage') memory.run(connection, args);
    else connection.reply.error('ERR Unknown operation');
  },
};

export const memoryCommands: readonly ServerCommand[] = [disk, kprofile, memory];
