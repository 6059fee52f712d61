import { resolve } from 'node:path';
import type { PipelineConfig } from '../../config/index.js';
import { Decoder, type Logger, type Sink, TailraceError } from '../kit/index.js';
import {
  type ChangePredicate,
  compileFilter,
  FileDeadLetters,
  FileOffsetsStore,
  Pipeline,
} from '../pipeline/index.js';

/** A pipeline and all that it owns, ready to run. */
export interface AssembledPipeline extends AsyncDisposable {
  readonly pipeline: Pipeline;
}

/** Makes a pipeline of its configuration. Paths are taken from the working directory. */
export const assemble = (config: PipelineConfig, log: Logger): AssembledPipeline => {
  const context = { pipeline: config.name, log };
  const sinks = config.sinks.map(({ name, definition, options }) => ({
    name,
    sink: definition.create(options, context),
  }));
  const needsOffsets = sinks.some(({ sink }) => !sink.holdsPosition);
  const needsLetters = config.errors.undecodable === 'dead-letter' || config.errors.poison === 'dead-letter';
  const offsets = needsOffsets ? new FileOffsetsStore(resolve(config.offsets.path)) : undefined;
  const deadLetters = needsLetters ? new FileDeadLetters(resolve(config.deadLetters.path)) : undefined;
  const filter = filterOf(config);
  if (filter !== undefined) requireNoWholeBatches(config, sinks);
  const pipeline = new Pipeline({
    name: config.name,
    source: () => config.source.definition.create(config.source.options, context),
    sinks,
    makeDecoder: () => new Decoder(),
    startAt: config.startAt,
    errors: config.errors,
    creditBytes: config.limits.creditBytes,
    batch: { maxChanges: config.limits.batchChanges, maxBytes: config.limits.batchBytes },
    retry: {
      initialMs: config.retry.initial,
      maxMs: config.retry.max,
      giveUpAfterMs: config.retry.giveUpAfter === 0 ? Number.POSITIVE_INFINITY : config.retry.giveUpAfter,
    },
    drainTimeoutMs: config.drainTimeout,
    log,
    ...(filter === undefined ? {} : { filter }),
    ...(offsets === undefined ? {} : { offsets }),
    ...(deadLetters === undefined ? {} : { deadLetters }),
  });
  return {
    pipeline,
    [Symbol.asyncDispose]: async () => {
      for (const { sink } of sinks) await sink[Symbol.asyncDispose]();
      await offsets?.[Symbol.asyncDispose]();
      await deadLetters?.[Symbol.asyncDispose]();
    },
  };
};

/** @throws TailraceError `CONFIG_INVALID` when a sink would write what the filters are to keep out */
const requireNoWholeBatches = (
  config: PipelineConfig,
  sinks: readonly { readonly name: string; readonly sink: Sink }[],
): void => {
  const whole = sinks.find(({ sink }) => sink.takesWholeBatches === true);
  if (whole === undefined) return;
  throw new TailraceError(
    'CONFIG_INVALID',
    `pipeline ${config.name}: sink ${whole.name} writes the batches of the log as they are, transforms have no effect on it`,
    {
      context: { file: config.file, sink: whole.name },
      remedy: 'Leave out the transforms, or give that sink a pipeline of its own.',
    },
  );
};

/** All filters of a pipeline as one predicate; a list that is empty lets all pass. */
const filterOf = (config: PipelineConfig): ChangePredicate | undefined => {
  const predicates = config.filters.map((settings) =>
    compileFilter(
      Object.fromEntries(Object.entries(settings).filter(([, list]) => (list as string[]).length > 0)),
    ),
  );
  return predicates.length === 0 ? undefined : (change) => predicates.every((passes) => passes(change));
};
