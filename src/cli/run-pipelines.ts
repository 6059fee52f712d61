import type { ChosenSink, PipelineConfig } from '../../config/index.js';
import { TailraceError } from '../errors/index.js';
import {
  type Logger,
  orGivenUp,
  type PluginContext,
  type RetryOptions,
  type Sink,
  type Source,
  withDeadline,
} from '../kit/index.js';
import { Pipeline, type PipelineOptions, type PipelineSink } from '../pipeline/index.js';
import { assembleTransform } from './assemble-transforms.js';
import { openDeadLetters } from './open-dead-letters.js';
import { openOffsets } from './open-offsets.js';
import { OwnedParts } from './owned-parts.js';
import { needsSnapshot, requireSnapshots, snapshotMode } from './run-snapshots.js';
import { WholeRun } from './whole-run.js';
import { withPlace } from './with-place.js';

/** A pipeline and all that it owns, ready to run. */
export interface AssembledPipeline extends AsyncDisposable {
  readonly config: PipelineConfig;
  readonly pipeline: WholeRun;
}

/**
 * Makes a pipeline of its configuration. Paths are taken from the working directory. When one part cannot be made, those
 * that were are disposed.
 */
export const assemble = async (
  config: PipelineConfig,
  log: Logger,
  onStage?: PipelineOptions['onStage'],
): Promise<AssembledPipeline> => {
  const owned = new OwnedParts();
  try {
    return await assembleOf(config, owned, log, onStage);
  } catch (error) {
    await owned[Symbol.asyncDispose]().catch(() => undefined); // what is told is why it cannot be made
    throw error;
  }
};

const assembleOf = async (
  config: PipelineConfig,
  owned: OwnedParts,
  log: Logger,
  onStage: PipelineOptions['onStage'],
): Promise<AssembledPipeline> => {
  const sinks: PipelineSink[] = [];
  for (const chosen of config.sinks) sinks.push(await assembleSink(config, chosen, owned, log));
  // A sink that holds its position keeps out other writers by itself; the others need an owner.
  const needsOffsets = config.offsets.store !== 'file' || sinks.some(({ sink }) => !sink.holdsPosition);
  const needsLetters = config.errors.undecodable === 'dead-letter' || config.errors.poison === 'dead-letter';
  const offsets = needsOffsets ? owned.add(openOffsets(config.offsets)) : undefined;
  const deadLetters = needsLetters ? await openDeadLetters(config, log) : undefined;
  if (deadLetters !== undefined) owned.add(closingInTime(deadLetters, 'what takes the dead letters', config));
  const retry = retryOf(config);
  const { makeDecoder } = config.source.definition;
  const pipeline = new Pipeline({
    name: config.name,
    source: () => makeSource(config.source, { pipeline: config.name, log }),
    sinks,
    startAt: config.startAt,
    errors: config.errors,
    ...(snapshotMode(config) === 'when-needed' ? { stopsAt: needsSnapshot } : {}),
    ...(config.limits.creditBytes === 0 ? {} : { creditBytes: config.limits.creditBytes }),
    sharedBytes: config.limits.sharedBytes,
    batch: { maxChanges: config.limits.batchChanges, maxBytes: config.limits.batchBytes },
    retry,
    heartbeatMs: config.heartbeat,
    drainTimeoutMs: config.drainTimeout,
    log,
    ...(makeDecoder === undefined ? {} : { makeDecoder }),
    ...(onStage === undefined ? {} : { onStage }),
    ...(offsets === undefined ? {} : { offsets }),
    ...(deadLetters === undefined ? {} : { deadLetters }),
  });
  return {
    config,
    pipeline: new WholeRun(pipeline, { config, sinks, offsets, deadLetters, retry, log }),
    [Symbol.asyncDispose]: () => owned[Symbol.asyncDispose](),
  };
};

/** @throws TailraceError `CONFIG_INVALID` for a sink that cannot do what the pipeline asks of it */
const assembleSink = async (
  config: PipelineConfig,
  chosen: ChosenSink,
  owned: OwnedParts,
  log: Logger,
): Promise<PipelineSink> => {
  const { name, maxLag } = chosen;
  const transform = await assembleTransform(config, chosen);
  const sink = await makeSink(chosen, { pipeline: config.name, sink: name, log });
  owned.add(closingInTime(sink, `sink ${name}`, config));
  const takesBatches = sink.takesWholeBatches === true;
  if (transform !== undefined && takesBatches) throw withPlace(cannotTransform(name), chosen.place);
  if (config.source.definition.makeDecoder !== undefined && takesBatches)
    throw withPlace(hasNoBatches(name, config.source.name), chosen.place);
  requireSnapshots(config, name, sink);
  return {
    name,
    sink,
    ...(transform === undefined ? {} : { transform }),
    ...(maxLag === 0 ? {} : { maxLag }),
  };
};

const retryOf = ({ retry: { initial, max, giveUpAfter } }: PipelineConfig): RetryOptions => ({
  initialMs: initial,
  maxMs: max,
  giveUpAfterMs: giveUpAfter === 0 ? Number.POSITIVE_INFINITY : giveUpAfter,
});

/** Makes a sink of its configuration; what only that finds wrong is told with its place in the file. */
export const makeSink = async (chosen: ChosenSink, context: PluginContext): Promise<Sink> => {
  try {
    return await chosen.definition.create(chosen.options, context);
  } catch (error) {
    throw withPlace(error, chosen.place);
  }
};

export const makeSource = (chosen: PipelineConfig['source'], context: PluginContext): Source => {
  try {
    return chosen.definition.create(chosen.options, context);
  } catch (error) {
    throw withPlace(error, chosen.place);
  }
};

/** Nobody waits for longer until something is closed than until what is in flight is delivered. */
const closingInTime = (
  part: AsyncDisposable,
  what: string,
  { name, drainTimeout }: PipelineConfig,
): AsyncDisposable => ({
  [Symbol.asyncDispose]: () =>
    withDeadline(drainTimeout, [], async (limit) => {
      try {
        await orGivenUp(Promise.resolve(part[Symbol.asyncDispose]()), limit);
      } catch (error) {
        throw limit.aborted ? doesNotClose(name, what, drainTimeout) : error;
      }
    }),
});

const doesNotClose = (pipeline: string, what: string, timeoutMs: number): TailraceError =>
  new TailraceError('SINK_FAILED', `${what} of pipeline ${pipeline} does not close within ${timeoutMs} ms`, {
    context: { pipeline },
    remedy: 'Nothing is lost: the next start goes on where the sinks stand. Look what it waits for.',
  });

const hasNoBatches = (sink: string, source: string): TailraceError =>
  new TailraceError(
    'CONFIG_INVALID',
    `${sink} writes the batches of a log, and the source ${source} has none`,
    {
      context: { sink },
      remedy: 'Use a sink that takes changes, or another source.',
    },
  );

const cannotTransform = (sink: string): TailraceError =>
  new TailraceError(
    'CONFIG_INVALID',
    `${sink} forwards batches as they are, so nothing can be left out or changed`,
    {
      context: { sink },
      remedy: 'Remove the transforms and routes, or give that sink a pipeline of its own.',
    },
  );
