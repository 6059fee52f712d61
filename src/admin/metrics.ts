import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { PipelineStatus, SinkStatus, Stage } from '../pipeline/index.js';

/**
 * The figures of pipelines as Prometheus reads them. Totals and levels are taken from the pipelines when they are asked
 * for; only the time of each step is recorded as it happens, once a write.
 */
export class PipelineMetrics {
  readonly #registry = new Registry();
  readonly #stages: Histogram<'pipeline' | 'sink' | 'stage'>;

  /** @param statuses the present figures of every pipeline */
  constructor(statuses: () => readonly PipelineStatus[]) {
    collectDefaultMetrics({ register: this.#registry });
    const registers = [this.#registry];
    this.#stages = new Histogram({
      name: 'tailrace_stage_seconds',
      help: 'Time of one step for one write: decode, transform, write, and deliver from the source to the sink',
      labelNames: ['pipeline', 'sink', 'stage'],
      buckets: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60],
      registers,
    });
    for (const { name, help, kind, of } of pipelineFigures) {
      const collect = (metric: Figure<'pipeline'>): void => {
        metric.reset();
        for (const status of statuses()) {
          const value = of(status);
          if (value !== null) metric.inc({ pipeline: status.name }, value);
        }
      };
      define(kind, { name, help, labelNames: ['pipeline'], registers }, collect);
    }
    for (const { name, help, kind, of } of sinkFigures) {
      const collect = (metric: Figure<'pipeline' | 'sink'>): void => {
        metric.reset();
        for (const { name: pipeline, sinks } of statuses())
          for (const sink of sinks) {
            const value = of(sink);
            if (value !== null) metric.inc({ pipeline, sink: sink.name }, value);
          }
      };
      define(kind, { name, help, labelNames: ['pipeline', 'sink'], registers }, collect);
    }
    define(
      'total',
      {
        name: 'tailrace_sink_errors_total',
        help: 'Outcomes of claims and writes other than success, by kind',
        labelNames: ['pipeline', 'sink', 'kind'],
        registers,
      },
      (metric: Figure<'pipeline' | 'sink' | 'kind'>) => {
        metric.reset();
        for (const { name: pipeline, sinks } of statuses())
          for (const { name: sink, errors } of sinks)
            for (const [kind, count] of Object.entries(errors)) metric.inc({ pipeline, sink, kind }, count);
      },
    );
  }

  /** Records how long a step took. */
  observe(pipeline: string, sink: string, stage: Stage, ms: number): void {
    this.#stages.observe({ pipeline, sink, stage }, ms / 1000);
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  /** All metrics, in the text format. */
  text(): Promise<string> {
    return this.#registry.metrics();
  }
}

type Kind = 'total' | 'level';

/** How a figure is called, and where it is found. */
interface FigureOf<Status> {
  readonly name: string;
  readonly help: string;
  readonly kind: Kind;
  /** null: not known. */
  readonly of: (status: Status) => number | null;
}

interface Figure<Label extends string> {
  reset(): void;
  inc(labels: Partial<Record<Label, string | number>>, value: number): void;
}

const define = <Label extends string>(
  kind: Kind,
  configuration: { name: string; help: string; labelNames: Label[]; registers: Registry[] },
  collect: (metric: Figure<Label>) => void,
): void => {
  const withCollect = {
    ...configuration,
    collect(this: Figure<Label>) {
      collect(this);
    },
  };
  if (kind === 'total') new Counter(withCollect);
  else new Gauge(withCollect);
};

const pipelineFigures: readonly FigureOf<PipelineStatus>[] = [
  {
    name: 'tailrace_pipeline_running',
    help: '1 while the pipeline runs, else 0',
    kind: 'level',
    of: ({ state }) => (state === 'running' ? 1 : 0),
  },
  {
    name: 'tailrace_source_reachable',
    help: '0 while the source cannot be reached and is tried again, else 1',
    kind: 'level',
    of: ({ sourceTrouble }) => (sourceTrouble === null ? 1 : 0),
  },
  {
    name: 'tailrace_source_sequence',
    help: 'Newest sequence number that the source is known to have; absent until it has told',
    kind: 'level',
    of: ({ latestSequence }) => latestSequence,
  },
  {
    name: 'tailrace_undecodable_changes_total',
    help: 'Changes that could not be decoded and were skipped or dead-lettered',
    kind: 'total',
    of: ({ undecodableChanges }) => undecodableChanges,
  },
];

const sinkFigures: readonly FigureOf<SinkStatus>[] = [
  {
    name: 'tailrace_sink_running',
    help: '1 while the sink is written to, else 0: before it was claimed, while it is tried again, when it has failed',
    kind: 'level',
    of: ({ state }) => (state === 'running' ? 1 : 0),
  },
  {
    name: 'tailrace_pulled_batches_total',
    help: 'Batches taken from the source for the sink',
    kind: 'total',
    of: ({ pulledBatches }) => pulledBatches,
  },
  {
    name: 'tailrace_pulled_bytes_total',
    help: 'Bytes of these batches',
    kind: 'total',
    of: ({ pulledBytes }) => pulledBytes,
  },
  {
    name: 'tailrace_changes_total',
    help: 'Changes that filters and routes let pass to the sink',
    kind: 'total',
    of: ({ changes }) => changes,
  },
  {
    name: 'tailrace_filtered_changes_total',
    help: 'Changes that filters and routes kept from the sink',
    kind: 'total',
    of: ({ filteredChanges }) => filteredChanges,
  },
  {
    name: 'tailrace_written_changes_total',
    help: 'Changes that the sink has taken',
    kind: 'total',
    of: ({ writtenChanges }) => writtenChanges,
  },
  {
    name: 'tailrace_written_bytes_total',
    help: 'Bytes of the batches of these changes, as the source has them',
    kind: 'total',
    of: ({ writtenBytes }) => writtenBytes,
  },
  {
    name: 'tailrace_writes_total',
    help: 'Writes to the sink that succeeded',
    kind: 'total',
    of: ({ writes }) => writes,
  },
  {
    name: 'tailrace_rejected_changes_total',
    help: 'Changes that the sink refused, skipped or dead-lettered',
    kind: 'total',
    of: ({ rejectedChanges }) => rejectedChanges,
  },
  {
    name: 'tailrace_retries_total',
    help: 'Claims and writes that were tried again',
    kind: 'total',
    of: ({ retries }) => retries,
  },
  {
    name: 'tailrace_position_sequence',
    help: 'Last sequence number that the sink holds; absent until it was claimed',
    kind: 'level',
    of: ({ position, state }) =>
      position === null && state === 'starting' ? null : (position?.sequence ?? 0),
  },
  {
    name: 'tailrace_lag_sequences',
    help: 'Sequence numbers between the newest of the source and what was handled for the sink; absent until both have told',
    kind: 'level',
    of: ({ lag }) => lag,
  },
  {
    name: 'tailrace_lag_seconds',
    help: 'For how long a change has been waiting for the sink; absent until sink and source have told',
    kind: 'level',
    of: ({ lagMs }) => (lagMs === null ? null : lagMs / 1000),
  },
  {
    name: 'tailrace_credit_bytes_in_use',
    help: 'Memory taken by what is on its way to the sink',
    kind: 'level',
    of: ({ creditBytesInUse }) => creditBytesInUse,
  },
  {
    name: 'tailrace_oldest_waiting_sequence',
    help: 'Sequence number of the oldest batch that the sink holds up; absent when there is none',
    kind: 'level',
    of: ({ oldestWaiting }) => oldestWaiting?.sequence ?? null,
  },
  {
    name: 'tailrace_oldest_waiting_seconds',
    help: 'For how long the sink has held it up',
    kind: 'level',
    of: ({ oldestWaiting }) => (oldestWaiting?.forMs ?? 0) / 1000,
  },
  {
    name: 'tailrace_retention_headroom_sequences',
    help: 'Sequence numbers that the source may still forget before the sink loses changes; absent when not known',
    kind: 'level',
    of: ({ headroom }) => headroom?.sequences ?? null,
  },
  {
    name: 'tailrace_retention_headroom_seconds',
    help: 'Time until the source forgets what the sink needs next, if it took nothing more; absent when not known',
    kind: 'level',
    of: ({ headroom }) => (headroom?.ms === undefined || headroom.ms === null ? null : headroom.ms / 1000),
  },
];
