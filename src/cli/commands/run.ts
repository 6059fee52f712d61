import { setInterval as ticksOf } from 'node:timers/promises';
import { requirePipelines } from '../../../config/index.js';
import type { PipelineMetrics } from '../../admin/index.js';
import { type Logger, messageOf } from '../../kit/index.js';
import type { PipelineOptions, PipelineStatus, SinkStatus } from '../../pipeline/index.js';
import { listenAdmin } from '../admin-listener.js';
import { consoleLogger, counted, formatCount, type OutputOptions, Progress } from '../console.js';
import { onInterrupt } from '../interrupt.js';
import { parseListenAddress } from '../listen-address.js';
import { registryFor } from '../load-plugins.js';
import { OwnedParts } from '../owned-parts.js';
import type { RunFlags } from '../program.js';
import { type AssembledPipeline, assemble } from '../run-pipelines.js';

/**
 * Runs pipelines until all have ended or the process is told to stop. The first that fails stops the others, unless
 * they are to be kept going.
 */
export const runCommand = async (
  files: readonly string[],
  flags: RunFlags,
  output: OutputOptions,
): Promise<void> => {
  const configs = requirePipelines(files, await registryFor(files));
  const log = consoleLogger(output);
  const interrupted = onInterrupt();
  const addresses = [...new Set([...configs.map(({ admin }) => admin.listen), flags.admin ?? ''])];
  const listening = addresses.filter((address) => address !== '').map(parseListenAddress);

  await using owned = new OwnedParts();
  let metrics: PipelineMetrics | undefined;
  const assembled: AssembledPipeline[] = [];
  for (const config of configs) {
    const observe: PipelineOptions['onStage'] = (stage, sink, ms) =>
      metrics?.observe(config.name, sink, stage, ms);
    assembled.push(owned.add(await assemble(config, log, listening.length === 0 ? undefined : observe)));
  }
  const pipelines = assembled.map(({ pipeline }) => pipeline);
  if (listening.length > 0) metrics = await listenAdmin(listening, pipelines, log, owned);
  await runAll(assembled, { interrupted, isKeptGoing: flags.keepGoing === true, output, log });
};

const runAll = async (
  assembled: readonly AssembledPipeline[],
  {
    interrupted,
    isKeptGoing,
    output,
    log,
  }: { interrupted: AbortSignal; isKeptGoing: boolean; output: OutputOptions; log: Logger },
): Promise<void> => {
  const failed = new AbortController();
  const finished = new AbortController();
  const stop = AbortSignal.any([interrupted, failed.signal]);
  const statuses = (): PipelineStatus[] => assembled.map(({ pipeline }) => pipeline.status());
  const shown = showProgress(statuses, new Progress(output), finished.signal);
  tellOfStop(assembled, interrupted, finished.signal, log);
  try {
    const failures: unknown[] = [];
    await Promise.all(
      assembled.map(async ({ pipeline }) => {
        try {
          await pipeline.run(AbortSignal.any([stop]));
        } catch (error) {
          const { name } = pipeline.status();
          const isFirst = failures.push(error) === 1;
          if (!isKeptGoing) failed.abort();
          // What the only one failed at the process ends with.
          if (assembled.length === 1) return;
          const others = isKeptGoing ? 'the others go on' : 'the others are stopped';
          log.error(`${isFirst || isKeptGoing ? 'a' : 'another'} pipeline has failed, ${others}`, {
            pipeline: name,
            reason: messageOf(error),
          });
        }
      }),
    );
    if (failures.length > 0) throw failures[0];
  } finally {
    finished.abort();
    await shown;
  }
  for (const status of statuses())
    for (const sink of status.sinks) log.info('pipeline stopped', summary(status.name, sink));
};

/** Says what a stop waits for, where that takes longer than a moment. */
const tellOfStop = (
  assembled: readonly AssembledPipeline[],
  interrupted: AbortSignal,
  finished: AbortSignal,
  log: Logger,
): void => {
  const atMostMs = Math.max(...assembled.map(({ config }) => config.drainTimeout));
  const tell = (): void => {
    const told = setTimeout(() => {
      log.info('stopping: what is in flight is delivered first; a second signal ends at once', { atMostMs });
    }, 1_000);
    finished.addEventListener('abort', () => clearTimeout(told), { once: true });
  };
  interrupted.addEventListener('abort', tell, { once: true });
};

const showProgress = async (
  statuses: () => readonly PipelineStatus[],
  progress: Progress,
  finished: AbortSignal,
): Promise<void> => {
  let before = 0;
  let beforeMs = performance.now();
  try {
    for await (const _ of ticksOf(500, undefined, { signal: finished })) {
      const all = statuses();
      const sinks = all.flatMap((status) => status.sinks);
      const changes = sinks.reduce((total, sink) => total + sink.writtenChanges, 0);
      const now = performance.now();
      const rate = ((changes - before) * 1000) / (now - beforeMs);
      before = changes;
      beforeMs = now;
      // Each change counts once for every sink that has it.
      const delivered = counted(changes, 'change') + (sinks.length > 1 ? ` to ${sinks.length} sinks` : '');
      progress.show(`${delivered}  ${formatCount(Math.round(rate))}/s  ${lagOf(all)}`);
    }
  } catch (error) {
    if (!finished.aborted) throw error;
  }
};

/** The largest lag, which is not known before every sink was claimed, and who is waited for just now. */
const lagOf = (pipelines: readonly PipelineStatus[]): string => {
  const sinks = pipelines.flatMap((status) => status.sinks);
  const lags = sinks.flatMap(({ lag }) => (lag === null ? [] : [lag]));
  const lag = lags.length < sinks.length ? 'not known yet' : formatCount(Math.max(...lags));
  const troubled = [
    ...pipelines.flatMap(({ name, sourceTrouble }) =>
      sourceTrouble === null ? [] : [`the source of ${name}`],
    ),
    ...sinks.flatMap(({ name, trouble }) => (trouble === null ? [] : [name])),
  ];
  const snapshots = sinks.flatMap(({ name, state, snapshotKeys }) =>
    state === 'starting' && snapshotKeys !== null
      ? [`  snapshot of ${name}: ${counted(snapshotKeys, 'key')}`]
      : [],
  );
  const waiting = troubled.length === 0 ? '' : `  waiting for ${troubled.join(', ')}`;
  return `lag ${lag}${snapshots.join('')}${waiting}`;
};

const summary = (pipeline: string, sink: SinkStatus): Record<string, unknown> => ({
  pipeline,
  sink: sink.name,
  ...(sink.snapshotKeys === null ? {} : { snapshotKeys: sink.snapshotKeys }),
  delivered: sink.writtenChanges,
  filtered: sink.filteredChanges,
  ...(sink.undecodableChanges > 0 ? { undecodable: sink.undecodableChanges } : {}),
  ...(sink.rejectedChanges > 0 ? { rejected: sink.rejectedChanges } : {}),
  position: sink.position?.sequence ?? null,
});
