import { join, resolve } from 'node:path';
import type { PipelineConfig } from '../../config/index.js';
import type { KvrocksSnapshotOptions } from '../../connectors/kvrocks/index.js';
import { isTailraceError, TailraceError } from '../errors/index.js';
import { makeDirectory } from '../files/index.js';
import {
  type Claim,
  type Logger,
  orGivenUp,
  type Position,
  patienceWithSinkMs,
  type RetryOptions,
  type Sink,
} from '../kit/index.js';
import {
  Migration,
  type MigrationOptions,
  RawMigration,
  RecordFilter,
  StateFile,
  whileUnreachable,
} from '../migration/index.js';
import {
  type DeadLetterTarget,
  type OffsetsStore,
  type PipelineSink,
  withoutRefused,
} from '../pipeline/index.js';
import { wishFor } from './migration/checkpoint-place.js';
import { openSource, type SourcePlace } from './migration/source-place.js';

/** What a pipeline's file says of snapshots; `never` of a source that cannot be read by keys. */
export const snapshotMode = ({ source }: PipelineConfig): KvrocksSnapshotOptions['snapshot'] =>
  source.name === 'kvrocks' ? (source.options as KvrocksSnapshotOptions).snapshot : 'never';

/** True for an error that a new snapshot mends: the log no longer continues where a sink stands. */
export const needsSnapshot = (error: unknown): boolean =>
  ['WAL_PURGED', 'WAL_GAP', 'HISTORY_MISMATCH', 'WAL_SEQUENCE_AHEAD'].some(
    (code) => isTailraceError(error) && error.code === code,
  );

/** @throws TailraceError `CONFIG_INVALID` for a sink that is to have a snapshot and takes none */
export const requireSnapshots = (config: PipelineConfig, name: string, sink: Sink): void => {
  const isTaken = sink.takesWholeBatches !== true || sink.takesRecords !== undefined;
  if (snapshotMode(config) !== 'never' && !isTaken) throw takesBatches(config, name);
};

export interface SnapshotRun {
  readonly config: PipelineConfig;
  readonly sinks: readonly PipelineSink[];
  readonly offsets: OffsetsStore | undefined;
  readonly deadLetters?: DeadLetterTarget | undefined;
  readonly retry: RetryOptions;
  readonly log: Logger;
  /** What each sink has got before the pipeline's own run, by its name. */
  readonly given: Map<string, Given>;
}

export interface Given {
  /** Keys of a snapshot, so far; null when none was needed. */
  readonly keys: number | null;
  /** Where the sink stands, behind the snapshot if there is one; null until that is done. */
  readonly position: Position | null;
}

/**
 * Gives every sink that has no position all keys of the source, one sink after the other, and leaves each at a position of
 * the log. One that was interrupted goes on.
 */
export const takeSnapshots = async (run: SnapshotRun, signal: AbortSignal): Promise<void> => {
  const { config, sinks, offsets, retry, log, given } = run;
  for (const target of sinks) {
    const { name, sink } = target;
    const held = sink.holdsPosition
      ? (await whileUnreachable(retry, log, signal, () => soonClaimed(sink, signal))).position
      : await offsets?.load(config.name, name);
    // A position in the middle of a snapshot has no count: that one goes on.
    const isBegun = held?.count === 0;
    if (held && !isBegun) {
      given.set(name, { keys: null, position: held });
      continue;
    }
    const stateFile = stateFileOf(config, name);
    // Begun, and nobody knows how far it came: from the beginning.
    const isLost = isBegun && stateFile.load() === undefined;
    const restarts = isLost || (!isBegun && !isGoingOn(stateFile, sink.holdsPosition));
    await takeSnapshot(run, target, stateFile, { restarts, clearsTarget: isLost }, signal);
  }
};

/** Nobody who is told to stop waits for a target that answers nothing. */
const soonClaimed = (sink: Sink, signal: AbortSignal): Promise<Claim> =>
  orGivenUp(sink.claim(signal), signal, patienceWithSinkMs);

/** Gives these sinks all keys again, whatever they have: it is cleared first. */
export const takeSnapshotsAgain = async (
  run: SnapshotRun,
  names: readonly string[],
  signal: AbortSignal,
): Promise<void> => {
  for (const target of run.sinks) {
    if (!names.includes(target.name)) continue;
    const stateFile = stateFileOf(run.config, target.name);
    await takeSnapshot(run, target, stateFile, { restarts: true, clearsTarget: true }, signal);
  }
};

const takeSnapshot = async (
  { config, offsets, deadLetters, retry, log, given }: SnapshotRun,
  { name, sink, transform }: PipelineSink,
  stateFile: StateFile,
  { restarts, clearsTarget }: { readonly restarts: boolean; readonly clearsTarget: boolean },
  signal: AbortSignal,
): Promise<void> => {
  const options = snapshotOptionsOf(config);
  makeDirectory(resolve(options.snapshotState));
  await using source = await openSource(
    {
      ...options,
      usesRecords: true,
      withoutLog: 'refuse',
      slot: config.name,
      checkpoint: wishFor(
        { checkpoint: checkpointOf(options), name: `${config.name}.${name}`, restart: restarts },
        stateFile,
      ),
      logger: log,
    },
    signal,
  );
  const migration = migrationOf(config, name, source, {
    source: source.name,
    target: `${config.name}: ${name}`,
    title: 'snapshot',
    log: source.log,
    keys: source.keys,
    sourceRun: source.run,
    sink,
    stateFile,
    namespaces: source.keys.readsEveryNamespace ? undefined : ['default'],
    transform,
    restarts,
    clearsTarget,
    skipsUnsupported: config.errors.undecodable !== 'fail',
    withoutRefused: (batch, rejections) =>
      withoutRefused(batch, rejections, {
        pipeline: config.name,
        sink: name,
        poison: config.errors.poison,
        takesWholeBatches: sink.takesWholeBatches === true,
        ...(deadLetters === undefined ? {} : { deadLetters }),
        log,
      }),
    retry,
    // Other sinks may be further behind.
    releasesLog: false,
    end: { kind: 'caught-up' },
    ...(source.onCopied === undefined ? {} : { onCopied: source.onCopied }),
    logger: log,
  });
  given.set(name, {
    get keys() {
      return migration.status.keys;
    },
    position: null,
  });
  await migration.run(signal);
  signal.throwIfAborted();
  const { position } = migration;
  given.set(name, { keys: migration.status.keys, position });
  if (!sink.holdsPosition && position !== null) await offsets?.save(config.name, name, position);
  log.info('snapshot done', { pipeline: config.name, sink: name, ...migration.status });
};

const snapshotOptionsOf = ({ source }: PipelineConfig): KvrocksSnapshotOptions & SourceLogin =>
  source.options as KvrocksSnapshotOptions & SourceLogin;

interface SourceLogin {
  readonly url: string;
  readonly password: string;
}

const stateFileOf = (config: PipelineConfig, sink: string): StateFile =>
  new StateFile(
    join(
      resolve(snapshotOptionsOf(config).snapshotState),
      `${encodeURIComponent(`${config.name}.${sink}`)}.json`,
    ),
  );

/** A sink of a store gets records as they are, of every namespace; others get what they mean. */
const migrationOf = (
  config: PipelineConfig,
  name: string,
  { records }: SourcePlace,
  options: MigrationOptions,
): Migration | RawMigration => {
  const { takesRecords } = options.sink;
  if (takesRecords === undefined) return new Migration(options);
  if (records === undefined) throw hasNoRecords(config, name);
  const filter = new RecordFilter({ ...takesRecords, namespaces: undefined });
  // What the target holds may be an older state of the same keys.
  return new RawMigration({ ...options, records, filter, purges: options.clearsTarget === true });
};

const checkpointOf = ({ snapshotCheckpoint }: KvrocksSnapshotOptions): string | true | undefined => {
  if (snapshotCheckpoint === '@new') return true;
  return snapshotCheckpoint === '' ? undefined : snapshotCheckpoint;
};

/** Only a sink that holds no position goes on by the state file alone. */
const isGoingOn = (stateFile: StateFile, holdsPosition: boolean): boolean =>
  !holdsPosition && stateFile.load()?.steps.at(-1)?.isComplete === false;

const hasNoRecords = ({ file, name, source }: PipelineConfig, sink: string): TailraceError =>
  new TailraceError(
    'CONFIG_INVALID',
    `${file}: ${name} cannot give its sink ${sink} a snapshot: ${source.name} has no RECORDS`,
    {
      context: { file, sink },
      remedy: 'Only a tailrace tells its records as they are: use a redis sink, or set snapshot: never.',
    },
  );

const takesBatches = ({ file, name }: PipelineConfig, sink: string): TailraceError =>
  new TailraceError(
    'CONFIG_INVALID',
    `${file}: sink ${sink} of ${name} takes whole batches of the log, so it cannot be given a snapshot`,
    {
      context: { file, sink },
      remedy: 'Set snapshot: never, or write change events instead of batches (format, value).',
    },
  );
