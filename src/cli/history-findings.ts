import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import type { PipelineConfig } from '../../config/index.js';
import { EngineSource, type EngineSourceOptions } from '../../connectors/engine/index.js';
import { Engine } from '../engine/index.js';
import { isTailraceError } from '../errors/index.js';
import type { Finding, PluginContext, Position, Source } from '../kit/index.js';
import { makeSource } from './run-pipelines.js';
import { needsSnapshot, snapshotMode } from './run-snapshots.js';

/**
 * Whether the source of a pipeline goes on where a sink stands (null = it has no position), as `run` would find out: it does
 * not when it was put back from an older copy, or when its log no longer reaches back. Nothing is claimed or kept for this look.
 */
export const historyFindings = async (
  config: PipelineConfig,
  position: Position | null,
  context: PluginContext,
  signal: AbortSignal,
): Promise<readonly Finding[]> => {
  const found = (status: Finding['status'], detail: string): Finding => ({ name: 'history', status, detail });
  const mode = snapshotMode(config);
  if (position?.count === 0) return [found('ok', 'in the middle of a snapshot, which goes on')];
  if (position === null && mode !== 'never') return [found('ok', 'begins with a snapshot')];
  if (position === null && config.startAt === 'latest') return [found('ok', 'begins with what comes next')];
  await using source = makeOnlooker(config, context);
  if (source === undefined) return [];
  try {
    await source.open(position === null ? { kind: 'beginning' } : { kind: 'after', position }, signal);
    await source.pull({ maxBatches: 1, maxBytes: 1 }, signal);
  } catch (error) {
    if (!isTailraceError(error)) throw error;
    if (mode !== 'when-needed' || !needsSnapshot(error))
      return [{ ...found('fail', error.message), remedy: error.remedy }];
    return [
      { ...found('warn', error.message), remedy: 'The next start clears the sink and takes a new snapshot.' },
    ];
  }
  const place =
    position === null ? 'at the beginning of the log' : `behind sequence number ${position.sequence}`;
  return [found('ok', `the source goes on ${place}`)];
};

/**
 * The source as one reads it who leaves nothing there; undefined for one that is not there yet, or of which that is not
 * known.
 */
const makeOnlooker = ({ source }: PipelineConfig, context: PluginContext): Source | undefined => {
  const options = source.options as object;
  switch (source.name) {
    case 'kvrocks':
      return makeSource({ ...source, options: { ...options, slot: '-' } }, context);
    case 'wal':
    case 'file':
      return makeSource({ ...source, options: { ...options, follow: false } }, context);
    case 'engine': {
      const directory = resolve((options as EngineSourceOptions).path);
      if (!existsSync(directory)) return undefined;
      return new EngineSource(async () => {
        const store = await Engine.open(directory, { isReadOnly: true });
        return { store, giveBack: () => store.close() };
      });
    }
    default:
      return undefined;
  }
};
