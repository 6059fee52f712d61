import type { Logger, RetryOptions, Sink, Source, Timing } from '../kit/index.js';
import type { Stage, TransactionDecoder, TransactionTransform } from './branch.js';
import type { ChangePredicate } from './change-filter.js';
import type { BatchLimit } from './commit-groups.js';
import type { DeadLetterTarget } from './dead-letters/dead-letters.js';
import type { OffsetsStore } from './offsets/offsets-store.js';
import type { ErrorPolicy } from './refused-changes.js';

/** A sink of a pipeline, with the settings that apply to it alone. */
export interface PipelineSink {
  /** Unique within the pipeline; positions are kept under it. */
  readonly name: string;
  readonly sink: Sink;
  /** What this sink sees of the changes; after the pipeline's filter. */
  readonly transform?: TransactionTransform;
  /** Up to which lag, in sequence numbers, it keeps the source's log from being removed; default: any. */
  readonly maxLag?: number;
}

/** Where a pipeline reads and writes, and within which bounds. */
export interface PipelineOptions {
  /** Unique name; positions are kept under it. */
  readonly name: string;
  /** A source; for several sinks, how to make one: each sink reads at a place of its own. */
  readonly source: Source | (() => Source);
  readonly sinks: readonly PipelineSink[];
  /** Makes the decoder of a session, for batches that are no write batches of the data model; default: one of those. */
  readonly makeDecoder?: () => TransactionDecoder;
  readonly filter?: ChangePredicate;
  /** Where to start when a sink has no position yet; default `beginning`. */
  readonly startAt?: 'beginning' | 'latest';
  readonly errors?: {
    readonly undecodable?: ErrorPolicy;
    readonly poison?: ErrorPolicy;
    /** `isolate` (default): when a sink fails the others go on. `stop`: the pipeline stops. */
    readonly sink?: 'isolate' | 'stop';
  };
  /** True for failures of one sink at which the whole pipeline stops, although the other sinks could go on. */
  readonly stopsAt?: (error: unknown) => boolean;
  readonly deadLetters?: DeadLetterTarget;
  readonly offsets?: OffsetsStore;
  /**
   * Memory for changes between the source and a sink, in bytes of their data and their objects; default what the sink
   * prefers, or 4 MiB.
   */
  readonly creditBytes?: number;
  /** Memory for what several sinks read together, in bytes; a sink further behind reads by itself. Default 4 MiB. */
  readonly sharedBytes?: number;
  /** Bounds of one pull from the source; defaults 250 batches and 1 MiB. */
  readonly pullBatches?: number;
  readonly pullBytes?: number;
  /** Bounds of one write to a sink; defaults 5,000 changes and 8 MiB. */
  readonly batch?: Partial<BatchLimit>;
  readonly retry?: Partial<RetryOptions>;
  /** How often a position is advanced while there is nothing to write, in ms; default 1 s. */
  readonly heartbeatMs?: number;
  /** How long a stop waits for what is in flight, in ms; default 30 s. */
  readonly drainTimeoutMs?: number;
  readonly timing?: Timing;
  readonly log: Logger;
  /** Called with the time that each step took, in ms, once per pull or write. */
  readonly onStage?: (stage: Stage, sink: string, ms: number) => void;
}
