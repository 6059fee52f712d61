import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { type PipelineConfig, requirePipelines } from '../../config/index.js';
import { TailraceError } from '../errors/index.js';
import type { Logger, Position, Sink } from '../kit/index.js';
import { registryFor } from './load-plugins.js';
import { openOffsets } from './open-offsets.js';
import { makeSink } from './run-pipelines.js';

/** The pipelines of the files that a command was given; none without files. */
export const pipelinesOf = async (files: readonly string[] = []): Promise<readonly PipelineConfig[]> =>
  files.length === 0 ? [] : requirePipelines(files, await registryFor(files));

/**
 * Calls `look` for each sink that holds its own position; nothing is claimed, so that whoever runs the pipeline is not
 * disturbed. `read` throws what the sink cannot tell.
 */
export const lookAtHolders = async (
  pipelines: readonly PipelineConfig[],
  log: Logger,
  look: (pipeline: string, sink: string, read: () => Promise<Position | null>) => Promise<void>,
): Promise<void> => {
  const { signal } = new AbortController();
  for (const config of pipelines)
    for (const { name } of config.sinks) {
      await using sink = await openSink(config, name, log);
      if (sink?.holdsPosition !== true) continue;
      await look(config.name, name, () => sink.readPosition?.(signal) ?? Promise.reject(cannot(name)));
    }
};

/**
 * Gives a sink that holds its position another one. It is claimed for that: a process that runs the pipeline meanwhile
 * ends with `SINK_FENCED`, or keeps this one out (`SINK_FENCED`, `PIPELINE_OWNED`).
 * @returns what it was; undefined when this sink holds none
 */
export const setHeldPosition = async (
  config: PipelineConfig,
  name: string,
  position: Position | null,
  log: Logger,
): Promise<{ readonly before: Position | null } | undefined> => {
  await using sink = await openSink(config, name, log);
  if (sink?.holdsPosition !== true) return undefined;
  if (sink.setPosition === undefined) throw cannot(name);
  const { signal } = new AbortController();
  await using _lease = await ownIfOthersDo(config, signal);
  const claim = await sink.claim(signal);
  await sink.setPosition(position, claim, signal);
  return { before: claim.position };
};

const openSink = async (config: PipelineConfig, name: string, log: Logger): Promise<Sink | undefined> => {
  const chosen = config.sinks.find((sink) => sink.name === name);
  return chosen && (await makeSink(chosen, { pipeline: config.name, sink: name, log }));
};

/** As the runner does: a directory of positions that nobody has made has no owners either. */
const ownIfOthersDo = async (
  { name, offsets }: PipelineConfig,
  signal: AbortSignal,
): Promise<AsyncDisposable> => {
  const isUsed = offsets.store !== 'file' || existsSync(resolve(offsets.path));
  const store = isUsed ? openOffsets(offsets) : undefined;
  try {
    const lease = await store?.own(name, signal);
    return {
      [Symbol.asyncDispose]: async () => {
        await lease?.release();
        await store?.[Symbol.asyncDispose]();
      },
    };
  } catch (error) {
    await store?.[Symbol.asyncDispose]();
    throw error;
  }
};

const cannot = (sink: string): TailraceError =>
  new TailraceError('USAGE', `sink ${sink} holds its position, and does not let it be read or set`, {
    context: { sink },
    remedy: 'Its author can add readPosition and setPosition (docs/connectors.md).',
  });
