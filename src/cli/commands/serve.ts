import { join } from 'node:path';
import process from 'node:process';
import { setFlagsFromString } from 'node:v8';
import { type CheckpointPolicyOptions, Engine, type RetentionEvent } from '../../engine/index.js';
import type { Logger } from '../../kit/index.js';
import { requireProtected, Server } from '../../server/index.js';
import { CertificateFiles } from '../certificate-files.js';
import { consoleLogger, counted, type OutputOptions } from '../console.js';
import { onInterrupt } from '../interrupt.js';
import { parseListenAddress } from '../listen-address.js';
import type { ServeFlags } from '../serve-program.js';
import { noteServer } from '../server-file.js';

/** Serves a store until the process is told to stop. */
export const serveCommand = async (flags: ServeFlags, output: OutputOptions): Promise<void> => {
  const access = {
    ...parseListenAddress(flags.listen),
    password: flags.requirepass ?? process.env['TAILRACE_PASSWORD'] ?? '',
    isProtected: flags.protectedMode,
  };
  const { host } = access;
  requireProtected(access); // before a store is made
  for (const flag of compilerFlags) setFlagsFromString(flag);
  const log = consoleLogger(output);
  // Before signals are ours: a named pipe stands still until somebody writes to it.
  const certificates = CertificateFiles.of(flags);
  const asked = new AbortController();
  const stopping = AbortSignal.any([onInterrupt(), asked.signal]);
  const startedAt = performance.now();
  await using engine = await Engine.open(flags.dir, {
    sync: flags.sync,
    syncIntervalMs: flags.syncInterval,
    memtableBytes: Math.max(1, flags.memtable) * mebibyte,
    pageCacheBytes: Math.max(1, flags.pageCache) * mebibyte,
    ...(flags.dataMax === undefined ? {} : { maxDataBytes: flags.dataMax * mebibyte }),
    ...checkpointPolicyOf(flags),
    retention: {
      keepMs: flags.walTtl * 1000,
      keepBytes: flags.walKeep * mebibyte,
      maxBytes: flags.walMax * mebibyte,
      onEvent: (event) => logRetention(log, event),
    },
  });
  const { recovery } = engine;
  if (recovery.cut !== undefined)
    log.warn('cut the torn end of the log, as a crash leaves it', { ...recovery.cut });
  if (engine.timesFault !== undefined)
    log.warn('when older sequence numbers were reached is not known any more', { ...engine.timesFault });
  await using server = await Server.listen(engine, {
    ...access,
    dumpDirectory: flags.dumpDir ?? '',
    restoreDirectory: flags.restoreDir ?? '',
    maxClients: flags.maxclients,
    idleTimeoutSeconds: flags.timeout,
    expire: flags.expire,
    compactEverySeconds: flags.compactEvery,
    namespacesFile: join(engine.directory, 'NAMESPACES'),
    tls: certificates?.tls,
    onShutdown: () => asked.abort(),
    onDefect: (error, command) =>
      log.error('a command failed unexpectedly', {
        command,
        error: error instanceof Error ? error.stack : String(error),
      }),
  });
  if (server.maxClients < flags.maxclients)
    log.warn('fewer clients are taken: the process may not open more files (ulimit -n)', {
      maxclients: server.maxClients,
      asked: flags.maxclients,
    });
  using _watched = certificates?.watch(server, log);
  using _noted = noteServer(engine.directory, host, server.port, flags.tlsCert !== undefined);
  log.info('serving', {
    address: `${host.includes(':') ? `[${host}]` : host}:${server.port}`,
    directory: engine.directory,
    sequence: engine.sequence,
    sync: flags.sync,
    recovered: `${counted(recovery.batches, 'batch', 'batches')} in ${Math.round(performance.now() - startedAt)} ms`,
  });
  const stopped = new Promise<void>((resolve) => {
    if (stopping.aborted) resolve();
    else stopping.addEventListener('abort', () => resolve(), { once: true });
  });
  await Promise.race([stopped, engine.whenFailed()]);
  log.info('stopping', { clients: server.connections, sequence: engine.sequence });
  // Nothing that a client could be answered is known to be durable any more: whoever supervises the process is told.
  if (engine.failure !== undefined) throw engine.failure;
};

/**
 * What a command goes through, from the parser to the log, is many small functions. V8 compiles more of them into one
 * when it may: that saves a tenth of the processor's time per command, up to a sixth for SET. Looked up by its compiler
 * whenever it compiles, so that it can be said to a process that runs.
 */
const compilerFlags = ['--max-inlined-bytecode-size=1500', '--max-inlined-bytecode-size-cumulative=6000'];

const checkpointPolicyOf = (flags: ServeFlags): { checkpointPolicy?: CheckpointPolicyOptions } => {
  const { checkpointEvery, checkpointChanges, checkpointKeep } = flags;
  if (checkpointEvery === 0 && checkpointChanges === 0) return {};
  return {
    checkpointPolicy: {
      ...(checkpointEvery > 0 ? { everyMs: checkpointEvery * 1000 } : {}),
      ...(checkpointChanges > 0 ? { everyChanges: checkpointChanges } : {}),
      keep: checkpointKeep,
    },
  };
};

const logRetention = (log: Logger, event: RetentionEvent): void => {
  if (event.kind === 'removed')
    log.info('removed log files that nobody needs', {
      files: event.files.length,
      firstSequence: event.firstSequence,
    });
  else if (event.kind === 'slot-lost')
    log.warn('a slot lost changes: the log had reached its bound', {
      slot: event.slot.name,
      acknowledged: event.slot.acknowledged,
      firstSequence: event.firstSequence,
      remedy: 'raise --wal-max, or let its consumer take a new snapshot',
    });
  else log.error('looking after the log failed', { error: String(event.error) });
};

const mebibyte = 1024 * 1024;
