import { setInterval } from 'node:timers/promises';
import { requirePipelines } from '../../../config/index.js';
import type { PipelineStatus } from '../../pipeline/index.js';
import { consoleLogger, formatCount, type OutputOptions, Progress } from '../console.js';
import { onInterrupt } from '../interrupt.js';
import { builtIn } from '../registry.js';
import { assemble } from '../run-pipelines.js';

/** Runs pipelines until all have ended or the process is told to stop. The first that fails stops the others. */
export const runCommand = async (files: readonly string[], output: OutputOptions): Promise<void> => {
  const configs = requirePipelines(files, builtIn);
  const log = consoleLogger(output);
  const interrupted = onInterrupt();
  const failed = new AbortController();
  const stop = AbortSignal.any([interrupted, failed.signal]);
  const assembled = await Promise.all(configs.map((config) => assemble(config, log)));
  const progress = new Progress(output);
  const finished = new AbortController();
  const shown = showProgress(
    () => assembled.map(({ pipeline }) => pipeline.status()),
    progress,
    finished.signal,
  );
  try {
    const runs = assembled.map(async ({ pipeline }) => {
      try {
        await pipeline.run(stop);
      } catch (error) {
        failed.abort();
        throw error;
      }
    });
    const results = await Promise.allSettled(runs);
    const failure = results.find((result) => result.status === 'rejected');
    if (failure !== undefined) throw failure.reason;
  } finally {
    finished.abort();
    await shown;
    for (const part of assembled) await part[Symbol.asyncDispose]();
  }
  for (const { pipeline } of assembled) {
    const status = pipeline.status();
    log.info('pipeline stopped', summary(status));
  }
};

const showProgress = async (
  statuses: () => readonly PipelineStatus[],
  progress: Progress,
  finished: AbortSignal,
): Promise<void> => {
  let before = 0;
  let beforeMs = performance.now();
  try {
    for await (const _ of setInterval(500, undefined, { signal: finished })) {
      const all = statuses();
      const changes = all.reduce((total, status) => total + status.changes, 0);
      const now = performance.now();
      const rate = ((changes - before) * 1000) / (now - beforeMs);
      before = changes;
      beforeMs = now;
      const lag = Math.max(...all.flatMap((status) => status.sinks.map((sink) => sink.lag)));
      progress.show(
        `${formatCount(changes)} changes  ${formatCount(Math.round(rate))}/s  lag ${formatCount(lag)}`,
      );
    }
  } catch (error) {
    if (!finished.aborted) throw error;
  }
};

const summary = (status: PipelineStatus): Record<string, unknown> => ({
  pipeline: status.name,
  changes: status.changes,
  filtered: status.filteredChanges,
  undecodable: status.undecodableChanges,
  ...Object.fromEntries(status.sinks.map((sink) => [sink.name, sink.position?.sequence ?? 0])),
});
