import { resolve } from 'node:path';
import process from 'node:process';
import { isTailraceError, messageOf, TailraceError } from '../../errors/index.js';
import type { Logger } from '../../kit/index.js';
import {
  Migration,
  type MigrationEnd,
  type MigrationOptions,
  placeName,
  placeOf,
  RawMigration,
  StateFile,
} from '../../migration/index.js';
import { parseRedisUrl, ReplyError } from '../../resp/index.js';
import { consoleLogger, type OutputOptions } from '../console.js';
import { ExitCode } from '../exit.js';
import { onInterrupt, untilInterrupted } from '../interrupt.js';
import { wishFor } from './checkpoint-place.js';
import { countKeys } from './count-keys.js';
import {
  keepsNamespaces,
  type MigrateFlags,
  namespacesOf,
  resolveNamespaces,
  sourcePassword,
  targetPassword,
} from './flags.js';
import { warnOfRetention } from './log-retention.js';
import { MigrationDisplay } from './migration-display.js';
import { openTarget } from './open-target.js';
import { openSource, type SourcePlace } from './source-place.js';
import { requireComparable, requireTarget } from './target-kind.js';
import { positionKeyOf, type TargetPlace } from './target-place.js';

/** Moves a data set: snapshot, catch up, and follow if asked to. Run again after any end, it goes on. */
export const migrateCommand = async (flags: MigrateFlags, output: OutputOptions): Promise<void> => {
  const interrupted = onInterrupt();
  await untilInterrupted(interrupted, async () => {
    if (flags.verify)
      requireComparable(flags.to, { otherwise: '; leave --verify out', settings: flags.toOption ?? [] });
    const end = flags.follow ? ({ kind: 'never' } as const) : ({ kind: 'caught-up' } as const);
    await runMigration(flags, end, output, interrupted);
    if (interrupted.aborted && !flags.follow) process.exitCode = ExitCode.Interrupted;
    if (!flags.verify || interrupted.aborted) return;
    const { runVerification, verifyDefaults } = await import('./verify-command.js');
    await runVerification({ ...flags, ...verifyDefaults }, output, interrupted);
  });
};

/** Runs a migration to its end; resolves to the sequence number of the source that the target has reached. */
export const runMigration = async (
  flags: MigrateFlags,
  end: MigrationEnd,
  output: OutputOptions,
  interrupted: AbortSignal,
): Promise<number> => {
  requireTarget(flags.to, flags.toOption); // a mistake is told before anything is connected to
  const logger = consoleLogger(output);
  const wanted = namespacesOf(flags);
  const stateFile = new StateFile(resolve(flags.state));
  await using source = await openSource(
    {
      url: flags.from,
      password: sourcePassword(flags),
      usesRecords: flags.records,
      withoutLog: flags.once && end.kind === 'caught-up' ? 'copy' : 'refuse',
      slot: flags.name,
      largestKeyBytes: flags.maxKeyBytes === 0 ? undefined : flags.maxKeyBytes,
      scratch: flags.scratch,
      namespaces: Object.keys(wanted),
      checkpoint: wishFor(flags, stateFile),
      logger,
    },
    interrupted,
  );
  const namespaces = resolveNamespaces(wanted, source.namespaces);
  await using target = await openTarget(
    {
      url: flags.to,
      password: targetPassword(flags),
      name: flags.name,
      namespaces,
      existing: flags.existing,
      settings: flags.toOption ?? [],
      sourceRunId: source.runId,
      sourceAddress:
        source.connection === undefined ? undefined : parseRedisUrl(flags.from, sourcePassword(flags)),
      rawNamespaces: source.records !== undefined && keepsNamespaces(wanted) ? source.namespaces : undefined,
      logger,
    },
    interrupted,
  );
  if (!source.hasLog) warnOfPlainCopy(stateFile, source, flags, logger);
  const migration = migrationOf(flags, source, target, {
    stateFile,
    namespaces: Object.keys(namespaces),
    end,
    logger,
  });
  const keys = await countKeys(source, interrupted);
  const display = new MigrationDisplay(output, keys, source.hasLog);
  display.start(migration);
  // Measuring takes a moment, in which the first keys may as well be read.
  const warned = warnOfShortLog(source, keys, flags.maxKeysPerSecond, logger, interrupted);
  try {
    await migration.run(interrupted);
  } catch (error) {
    throw isLogLost(error) ? startOver(error) : error;
  } finally {
    display.stop(migration);
    await warned;
    if (interrupted.aborted)
      logger.info('interrupted: the same command goes on where it stands', { state: stateFile.path });
  }
  if (end.kind === 'quiet' && !interrupted.aborted) await dropSlot(source, flags.name, logger, interrupted);
  return migration.status.sequence;
};

/** The source no longer has what the migration wants of its log. */
const isLogLost = (error: unknown): error is TailraceError =>
  (isTailraceError(error, 'WAL_PURGED') || isTailraceError(error, 'WAL_GAP')) &&
  error.context['checkpoint'] === undefined; // says by itself what to do

const startOver = (cause: TailraceError): TailraceError =>
  new TailraceError(cause.code, cause.message, {
    context: cause.context,
    remedy:
      'Let the source keep more of its log, and start over by --restart --existing overwrite; then verify --repair removes what was deleted meanwhile.',
    cause,
  });

/** Records as they stand in the source where the target takes them, otherwise what they mean. */
const migrationOf = (
  flags: MigrateFlags,
  source: SourcePlace,
  target: TargetPlace,
  rest: Pick<MigrationOptions, 'stateFile' | 'namespaces' | 'end' | 'logger'>,
): Migration | RawMigration => {
  const options: MigrationOptions = {
    ...rest,
    source: source.name,
    target: target.name,
    log: source.log,
    keys: source.keys,
    sourceRun: source.run,
    sink: target.sink,
    keepsNumbers: target.keepsNumbers,
    clearsTarget: target.clears,
    prepareTarget: async (signal) => [
      ...(await target.prepare(signal)),
      ...(await earlierPosition(source, flags.name, signal)),
    ],
    restarts: flags.restart ?? false,
    skipsUnsupported: flags.skipUnsupported ?? false,
    rates: {
      keysPerSecond: flags.maxKeysPerSecond,
      bytesPerSecond: flags.maxMbPerSecond * 1_000_000,
    },
    ...(source.onCopied === undefined ? {} : { onCopied: source.onCopied }),
  };
  const { records } = source;
  const { filter } = target;
  if (filter === undefined || records === undefined) return new Migration(options);
  const purges = flags.existing === 'overwrite' || flags.restart === true;
  return new RawMigration({ ...options, records, filter, purges });
};

/** Nobody follows any more: a tailrace need not keep its log for us. A Kvrocks does not know the command. */
const dropSlot = async (
  { connection }: SourcePlace,
  slot: string,
  logger: Logger,
  signal: AbortSignal,
): Promise<void> => {
  if (connection === undefined) return;
  const reply = await connection.call(signal, 'SLOT', 'DROP', slot);
  if (!(reply instanceof ReplyError)) logger.info('dropped the slot', { slot });
};

/** A source that was itself the target of a migration holds a position, which is not to replace the target's own. */
const earlierPosition = async (
  { connection }: SourcePlace,
  name: string,
  signal: AbortSignal,
): Promise<readonly string[]> => {
  const key = positionKeyOf(name);
  const isThere = connection !== undefined && (await connection.call(signal, 'EXISTS', key)) === 1;
  return isThere ? [placeName(placeOf('default', Buffer.from(key)))] : [];
};

/** Resolves when the rate of writes has been measured, and warned of where the log is too short for it. Never rejects. */
const warnOfShortLog = async (
  { connection, hasLog, isTailrace }: SourcePlace,
  keys: number | undefined,
  maxKeysPerSecond: number,
  logger: Logger,
  interrupted: AbortSignal,
): Promise<void> => {
  if (connection === undefined || !hasLog || keys === undefined) return;
  try {
    await warnOfRetention({ server: connection, isTailrace }, keys, maxKeysPerSecond, logger, interrupted);
  } catch (error) {
    // A source that cannot be reached just now is waited for by the migration itself.
    if (interrupted.aborted || isTailraceError(error, 'SOURCE_UNREACHABLE')) return;
    const reason = messageOf(error);
    logger.warn('whether the log of the source lasts for the migration is not known', { reason });
  }
};

/** What is written meanwhile, and behind an earlier copy, may not be in the target. */
const warnOfPlainCopy = (
  stateFile: StateFile,
  source: SourcePlace,
  { restart = false }: MigrateFlags,
  logger: Logger,
): void => {
  logger.warn(
    'the source has no POLLUPDATES: each key is copied once, what changes meanwhile may be missing',
    {
      source: source.name,
    },
  );
  if (!restart && stateFile.load()?.steps.at(-1)?.isComplete === true)
    logger.warn('it was copied already, and nothing is copied now: --restart copies it again', {
      state: stateFile.path,
    });
};
