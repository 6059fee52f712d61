import { SampleHistory } from '../../src/kit/conformance/index.js';
import type { Sink, Source, Timing } from '../../src/kit/index.js';
import { Pipeline, type PipelineOptions } from '../../src/pipeline/index.js';
import { pluginContext } from '../support/plugin-context.js';

const { log } = pluginContext('p');

/** Aborts nothing. */
export const never: AbortSignal = new AbortController().signal;

export const history = (batches: number): SampleHistory => {
  const sample = new SampleHistory();
  sample.appendMany(batches);
  return sample;
};

export const keysOf = (sample: SampleHistory, from = 0): string[] =>
  sample
    .sinkBatch(from, sample.batches.length)
    .transactions.flatMap(({ changes }) =>
      changes.map((change) => ('key' in change ? Buffer.from(change.key).toString() : '')),
    );

/** Waits take no time, and are counted. */
export const instantTiming = (): Timing & { slept: number[] } => {
  const slept: number[] = [];
  return { slept, now: () => performance.now(), random: () => 0.5, sleep: async (ms) => void slept.push(ms) };
};

export const pipelineOf = (
  source: Source | (() => Source),
  sink: Sink,
  options: Partial<PipelineOptions> = {},
): Pipeline =>
  new Pipeline({
    name: 'p',
    source,
    sinks: [{ name: 'sink', sink }],
    log,
    timing: instantTiming(),
    ...options,
  });
